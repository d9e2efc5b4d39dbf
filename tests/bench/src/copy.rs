//! `cargo xtask bench copy`: how long `bkcache copy` takes from folder to folder, beside cp and skopeo.
//!
//! The programs run in turn, round after round, each into a new folder, with the source in memory and the data of the run
//! before written back. Their output is compared with the source, outside of the measured time.

mod calls;
mod programs;
mod row;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use self::programs::{Program, Programs};
use self::row::Row;
use crate::layouts::{self, Blobs, Layout};
use crate::machine::{self, folder_in};
use crate::process::{self, own_folder};

/// A program that takes longer is run once: a better time would change no verdict.
const SLOW: Duration = Duration::from_secs(10);

/// Options of `cargo xtask bench copy`.
#[derive(Args)]
pub(crate) struct Copy {
    /// The caches that are copied
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Blobs::Large, Blobs::Small])]
    blobs: Vec<Blobs>,
    /// How often each program runs; the best time counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// A folder on the disk to measure; by default where this program was built. It takes up to 2 GB while it runs
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Copy {
    pub(crate) fn run(&self) -> Result<()> {
        let near = match &self.folder {
            Some(folder) => folder.clone(),
            None => own_folder()?,
        };
        let programs = Programs::find()?;
        for blobs in &self.blobs {
            eprintln!("{blobs}");
            let folder = folder_in(&near, "bench-copy-")?;
            machine::spread_folders(folder.path());
            let source = layouts::make(*blobs, &folder.path().join("source"))?;
            let rows = self.rounds(*blobs, &programs, &source, folder.path())?;
            print!("{}", table::render(*blobs, &rows));
            print!("{}", calls::count(*blobs, &programs, &source, &folder.path().join("calls"))?);
            println!();
        }
        print!("{}", programs.missing());
        Ok(())
    }

    fn rounds(&self, blobs: Blobs, programs: &Programs, source: &Layout, folder: &Path) -> Result<Vec<Row>> {
        let runs: Vec<Program> = programs.present().collect();
        let mut rows: Vec<Row> =
            runs.iter().map(|program| Row { program: *program, times: Vec::new(), used: None }).collect();
        // The folders are removed at the end, except those of large files, which would fill the disk.
        let mut kept = Vec::new();
        for start in Program::STARTS.iter().cycle().zip(0..self.repeat).map(|(start, _)| *start) {
            let folder = folder_in(folder, "round-")?;
            let start = rows.iter().position(|row| row.program == start).unwrap_or(0);
            let (last, first) = rows.split_at_mut(start);
            for row in first.iter_mut().chain(last) {
                if row.times.first().is_some_and(|time| *time > SLOW) {
                    continue;
                }
                let to = folder.path().join(row.program.folder());
                machine::settle(blobs.total())?;
                let (time, used) = match row.program {
                    Program::Disk => (machine::write_and_sync(blobs, &to)?, None),
                    Program::Hash => (machine::hash(blobs)?, None),
                    program => {
                        let ran = process::measure(&programs.command(program, source.path(), &to)?)?;
                        source.check_copy(&to)?;
                        (ran.time, Some(ran.used))
                    }
                };
                row.times.push(time);
                row.used = match (row.used.take(), used) {
                    (Some(before), Some(now)) => Some(before.join(now)),
                    (before, now) => before.or(now),
                };
            }
            if blobs != Blobs::Large {
                kept.push(folder);
            }
        }
        for row in &mut rows {
            row.times.sort_unstable();
        }
        Ok(rows)
    }
}
