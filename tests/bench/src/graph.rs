//! `cargo xtask bench graph`: how long generated caches of each shape and size take from bytes to bytes.
//!
//! One process makes a cache, another measures it. `generate` and `measure` are these two steps by themselves.

mod generate;
mod measure;
mod stages;
mod table;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use self::measure::Measured;
use self::table::Row;
use crate::process::{run_self, words};

pub(crate) use self::generate::{Shape, generate};

/// Options of `cargo xtask bench graph`.
#[derive(Args)]
pub(crate) struct Graph {
    /// The shapes of graph
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Shape::Chain, Shape::Star, Shape::Dag])]
    shapes: Vec<Shape>,
    /// The numbers of records
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<u32>,
    /// How often each is run; the best time of each stage counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

/// Options of `cargo xtask bench generate`.
#[derive(Args)]
pub(crate) struct Generate {
    /// The shape of graph
    shape: Shape,
    /// The number of records
    records: u32,
    /// What the names of the two files begin with
    prefix: PathBuf,
}

/// Options of `cargo xtask bench measure`.
#[derive(Args)]
pub(crate) struct Measure {
    /// What the names of the two files begin with
    prefix: PathBuf,
    /// How often to run
    #[arg(long, default_value_t = 3)]
    repeat: u32,
}

impl Graph {
    pub(crate) fn run(&self) -> Result<()> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let mut rows = Vec::new();
        for shape in &self.shapes {
            for records in &self.sizes {
                eprintln!("{shape}, {records} records");
                let measured = self.one(*shape, *records, folder.path())?;
                rows.push(Row { shape: *shape, records: *records, measured });
            }
        }
        print!("{}", table::render(&rows));
        Ok(())
    }

    /// Makes a cache and measures it, each in a process of its own.
    fn one(&self, shape: Shape, records: u32, folder: &Path) -> Result<Measured> {
        let prefix = folder.join(format!("{shape}-{records}"));
        let with_prefix = |arguments: &[&str]| {
            let mut arguments = words(arguments);
            arguments.push(OsString::from(&prefix));
            run_self(&arguments)
        };
        with_prefix(&["generate", &shape.to_string(), &records.to_string()])?;
        let line = with_prefix(&["measure", "--repeat", &self.repeat.to_string()])?;
        for path in [config_path(&prefix), index_path(&prefix)] {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Measured::from_line(&line)
    }
}

impl Generate {
    pub(crate) fn run(&self) -> Result<()> {
        let cache = generate(self.shape, self.records);
        for (path, bytes) in
            [(config_path(&self.prefix), cache.config), (index_path(&self.prefix), cache.index)]
        {
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Measure {
    pub(crate) fn run(&self) -> Result<()> {
        let read = |path: PathBuf| fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
        let config = read(config_path(&self.prefix))?;
        let index = read(index_path(&self.prefix))?;
        println!("{}", measure::measure(&config, &index, self.repeat)?.to_line());
        Ok(())
    }
}

fn config_path(prefix: &Path) -> PathBuf {
    with_ending(prefix, ".config.json")
}

fn index_path(prefix: &Path) -> PathBuf {
    with_ending(prefix, ".index.json")
}

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
