//! The tasks of this repository: `cargo xtask <task>`.
//!
//! Each task is a module; this one only reads the command line. The package is not published, no crate depends on it, and
//! it depends on no crate of the product.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: its output is its result"
)]

mod circles;
mod command;
mod coverage;
mod dist;
mod docs;
mod downstream;
mod edges;
mod fuzz;
mod harness;
mod minimal_versions;
mod package;
mod published;
mod release;
mod report;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::harness::{Arguments, Harness};
use crate::report::report;
use crate::workspace::Workspace;

/// Tasks of the bkcache repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check that crates depend only on what the table of edges allows, and that no files use one another in a circle
    Edges {
        /// The workspace to check; by default this one
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
    },
    /// Check the small rules that the compiler does not check
    Tidy,
    /// Measure graphs, hostile configs and copies
    Bench(Arguments),
    /// Run the tests and report the share of each crate's lines that they run
    Coverage(coverage::Coverage),
    /// Write the list of commands and the picture of the documentation
    Docs,
    /// Crash copies, and check the folders that they leave
    Crash(Arguments),
    /// Check that the oldest versions that the manifests allow compile: of each dependency, and of Rust
    MinimalVersions,
    /// Build the program, and pack it with its texts into target/dist
    Dist(dist::Dist),
    /// Run a fuzz target for a while; without one, list them
    Fuzz(fuzz::Fuzz),
    /// Test the crates of tests/downstream, which use the published crates from outside of the workspace
    Downstream,
    /// Build and test each published crate from its .crate file alone
    Package(package::Package),
    /// Release a version: check, package, and with `--execute` publish
    Release(release::Release),
}

fn main() -> ExitCode {
    if let Some(done) = coverage::as_wrapper() {
        return done;
    }
    Cli::parse().task.run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

impl Task {
    fn run(&self) -> Result<ExitCode> {
        let good = match self {
            Self::Edges { root } => {
                let folder = root.clone().unwrap_or_else(command::root);
                let packages = Workspace::load(&folder)?.packages;
                let edges = report("edges", &edges::check(&packages));
                report("circle", &circles::check(&packages)?) && edges
            }
            Self::Tidy => report("tidy", &tidy::check(&command::root())?),
            Self::Bench(arguments) => return Harness::Bench.run(arguments),
            Self::Coverage(coverage) => coverage.run()?,
            Self::Docs => docs::write()?,
            Self::Crash(arguments) => return Harness::Crash.run(arguments),
            Self::Dist(dist) => dist.run()?,
            Self::Fuzz(fuzz) => fuzz.run()?,
            Self::MinimalVersions => minimal_versions::check()?,
            Self::Downstream => downstream::check()?,
            Self::Package(package) => package.run()?,
            Self::Release(release) => release.run().map(|()| true)?,
        };
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
