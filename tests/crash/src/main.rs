//! Crash harnesses: whether a cache's folder is whole whenever its program or its machine stops. `cargo xtask crash`
//! runs this program.
//!
//! `power` records what copies do on disk and checks every state that a loss of power could leave after each change;
//! `kill` kills the real program. Both look for the same breaches, and leave a folder with a breach in place. `race` lets
//! exporters and garbage collections run at the same time.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: its output is its result"
)]

mod disk;
#[cfg(test)]
mod flaws;
mod folders;
mod generated;
mod invariants;
mod kill;
mod power;
mod program;
mod progress;
mod race;
mod recorder;
mod sample;
mod search;
mod states;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Crash harnesses of the bkcache repository.
#[derive(Parser)]
#[command(name = "cargo xtask crash", bin_name = "cargo xtask crash", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    crash: Crash,
}

/// What to crash.
#[derive(Subcommand)]
enum Crash {
    /// Look at every state that a loss of power may leave at any moment of some copies
    Power(power::Power),
    /// Kill bkcache at many moments of a copy, some random, some chosen by what it has done
    Kill(kill::Kill),
    /// Run exporters, BuildKit's sequence of changes among them, and garbage collections in one folder at the same time
    Race(race::Race),
}

impl Crash {
    /// Whether there is no breach.
    fn run(&self) -> Result<bool> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::Power(power) => power.run().await,
                Self::Kill(kill) => kill.run().await,
                Self::Race(race) => race.run().await,
            }
        })
    }
}

fn main() -> ExitCode {
    match Cli::parse().crash.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
