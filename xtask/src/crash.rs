//! `cargo xtask crash`: whether a cache's folder is whole whenever its program or machine stops.
//!
//! `power` records what copies do on disk and looks at what a loss of power could leave after each change; `kill` kills
//! the real program. Both look for the same breaches, and leave a folder with one in place.

mod disk;
#[cfg(test)]
mod flaws;
mod generated;
mod invariants;
mod kill;
mod power;
mod program;
mod recorder;
mod sample;
mod search;
mod states;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use tempfile::TempDir;

/// What to crash.
#[derive(Subcommand)]
pub(crate) enum Crash {
    /// Look at every state that a loss of power may leave at any moment of some copies
    Power(power::Power),
    /// Kill bkcache at many moments of a copy, some random, some chosen by what it has done
    Kill(kill::Kill),
}

impl Crash {
    /// Whether nothing was wrong.
    pub(crate) fn run(&self) -> Result<bool> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::Power(power) => power.run().await,
                Self::Kill(kill) => kill.run().await,
            }
        })
    }
}

/// A cache of this repository.
fn fixture(name: &str) -> PathBuf {
    crate::workspace::root().join("tests/fixtures").join(name)
}

/// A folder in memory where there is such a place, for what is made and removed by the thousand.
fn scratch() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.context("cannot make a temporary folder")
}

/// Shows how far it is, on a terminal, in place of what was shown before.
fn progress(line: std::fmt::Arguments<'_>) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}
