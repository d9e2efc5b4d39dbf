//! `cargo xtask bench`: how long a cache's graph takes from bytes to bytes, how long a copy from folder to folder
//! or to and from a registry, and how much memory each.
//!
//! Every measurement is a process of its own, so that its peak of memory is that of one run, and the input is made
//! by another, so that making it does not count. Always runs an optimised build.

mod copy;
mod figures;
mod generate;
mod hostile;
mod layouts;
mod machine;
mod measure;
mod process;
mod registry;
mod stages;
mod table;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use self::measure::Measured;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measure decode, load, marshal and encode on generated caches
    Graph(Graph),
    /// Measure caches that were made to be slow, against limits
    Hostile(hostile::Hostile),
    /// Measure `bkcache copy` from folder to folder, beside cp and skopeo
    Copy(copy::Copy),
    /// Measure `bkcache copy` to and from a registry on this machine, beside skopeo
    Registry(registry::Registry),
    /// Write a generated cache: PREFIX.config.json and PREFIX.index.json
    Generate(Generate),
    /// Measure one cache in this process; the result is a line of JSON
    #[command(hide = true)]
    Measure(Measure),
    /// Push a layout to a registry on this machine with the least work
    #[command(hide = true)]
    BarePush(registry::bare::BarePush),
    /// Run a program and measure it; the result is a line of JSON
    #[command(hide = true)]
    Run(process::Run),
}

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

/// A shape of graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Each record depends on the one before it
    Chain,
    /// All records depend on the first
    Star,
    /// Records with one to three inputs of one to three links, from the hundred records before
    Dag,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Chain => "chain",
            Self::Star => "star",
            Self::Dag => "dag",
        })
    }
}

/// One line of the table.
struct Row {
    shape: Shape,
    records: u32,
    measured: Measured,
}

impl Bench {
    /// Measures, or does one part of it.
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::Graph(_) | Self::Hostile(_) | Self::Copy(_) | Self::Registry(_)
                if cfg!(debug_assertions) =>
            {
                optimised()
            }
            Self::Graph(graph) => graph.run(),
            Self::Hostile(hostile) => hostile.run(),
            Self::Copy(copy) => copy.run(),
            Self::Registry(registry) => registry.run(),
            Self::BarePush(args) => args.run(),
            Self::Run(args) => args.run(),
            Self::Generate(args) => args.run(),
            Self::Measure(args) => args.run(),
        }
    }
}

/// Runs this same command line in an optimised build.
fn optimised() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = crate::workspace::cargo()
        .args(["run", "--release", "--quiet", "--package", "xtask", "--"])
        .args(arguments)
        .status()
        .context("cannot run cargo")?;
    if status.success() { Ok(()) } else { bail!("the optimised build failed") }
}

impl Graph {
    fn run(&self) -> Result<()> {
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
        let (shape, records) = (shape.to_string(), records.to_string());
        child(&["generate", &shape, &records], Some(&prefix))?;
        let line = child(&["measure", "--repeat", &self.repeat.to_string()], Some(&prefix))?;
        for path in [config_path(&prefix), index_path(&prefix)] {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Measured::from_line(&line)
    }
}

impl Generate {
    fn run(&self) -> Result<()> {
        let cache = generate::generate(self.shape, self.records);
        for (path, bytes) in
            [(config_path(&self.prefix), cache.config), (index_path(&self.prefix), cache.index)]
        {
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Measure {
    fn run(&self) -> Result<()> {
        let read = |path: PathBuf| fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
        let config = read(config_path(&self.prefix))?;
        let index = read(index_path(&self.prefix))?;
        println!("{}", measure::measure(&config, &index, self.repeat)?.to_line());
        Ok(())
    }
}

/// Runs `bench` in another process of this program; what it printed.
fn child(arguments: &[&str], prefix: Option<&Path>) -> Result<String> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let output = Command::new(program)
        .arg("bench")
        .args(arguments)
        .args(prefix)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run this program again")?;
    if !output.status.success() {
        bail!("bench {} failed", arguments.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
