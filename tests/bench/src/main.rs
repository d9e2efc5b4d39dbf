//! Benchmarks: how long a cache's graph takes from bytes to bytes, how long merging and
//! explaining take, how long a copy from folder to
//! folder or to and from a registry, and how much memory each. `cargo xtask bench` builds this program optimised and runs it.
//!
//! Every measurement is a process of its own, so that its peak of memory is that of one run. The input is made by
//! another process, so that making it does not count.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: its output is its result"
)]

mod copy;
mod digest;
mod edit;
mod figures;
mod graph;
mod hostile;
mod layouts;
mod machine;
mod memory;
mod process;
mod random;
mod registry;
mod why;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Benchmarks of the bkcache repository.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

/// What to measure.
#[derive(Subcommand)]
enum Bench {
    /// Measure decode, load, marshal and encode on generated caches
    Graph(graph::Graph),
    /// Measure caches that were made to be slow, against limits
    Hostile(hostile::Hostile),
    /// Measure `bkcache copy` from folder to folder, beside cp and skopeo
    Copy(copy::Copy),
    /// Measure `bkcache copy` to and from a registry on this machine, beside skopeo
    Registry(registry::Registry),
    /// Measure merging beside a naive union, against limits
    Edit(edit::Edit),
    /// Measure naming, explaining, checking content and reading contexts, against limits
    Why(why::Why),
    /// Write a generated cache: PREFIX.config.json and PREFIX.index.json
    Generate(graph::Generate),
    /// Measure one cache in this process; the result is a line of JSON
    #[command(hide = true)]
    Measure(graph::Measure),
    /// Push a layout to a registry on this machine with the least work
    #[command(hide = true)]
    BarePush(registry::bare::BarePush),
    /// Run a program and measure it; the result is a line of JSON
    #[command(hide = true)]
    Run(process::Run),
}

impl Bench {
    fn run(&self) -> Result<()> {
        if cfg!(debug_assertions) {
            bail!("this build is not optimised: run `cargo xtask bench`");
        }
        match self {
            Self::Graph(args) => args.run(),
            Self::Hostile(args) => args.run(),
            Self::Copy(args) => args.run(),
            Self::Registry(args) => args.run(),
            Self::Edit(args) => args.run(),
            Self::Why(args) => args.run(),
            Self::Generate(args) => args.run(),
            Self::Measure(args) => args.run(),
            Self::BarePush(args) => args.run(),
            Self::Run(args) => args.run(),
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().bench.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
