//! What people of this repository run: `cargo xtask <task>`.
//!
//! Each task is a module; this one only reads the command line. Nothing here is published, and no crate depends on
//! it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: its output is its result"
)]

mod bench;
mod coverage;
mod crash;
mod edges;
mod fuzz;
mod release;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Check that crates depend only on what the table of edges allows
    Edges,
    /// Check the small rules that no compiler knows
    Tidy,
    /// Measure
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Run the tests and tell which share of each crate's lines they run
    Coverage(coverage::Coverage),
    /// Crash copies, and look at what is left
    Crash {
        #[command(subcommand)]
        crash: crash::Crash,
    },
    /// Run a fuzz target for a while; without one, list them
    Fuzz(fuzz::Fuzz),
    /// Check that a version can be released, and print the commands that publish it
    Release(release::Release),
}

fn main() -> ExitCode {
    if let Some(done) = coverage::as_wrapper() {
        return done;
    }
    let outcome = match Cli::parse().task {
        Task::Edges => Workspace::load().map(|workspace| report("edges", &edges::check(&workspace.packages))),
        Task::Tidy => tidy::check(&workspace::root()).map(|findings| report("tidy", &findings)),
        Task::Bench { bench } => bench.run().map(|()| true),
        Task::Coverage(coverage) => coverage.run(),
        Task::Crash { crash } => crash.run(),
        Task::Fuzz(fuzz) => fuzz.run(),
        Task::Release(release) => release.run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for each finding; true when there is none.
fn report(task: &str, findings: &[String]) -> bool {
    for finding in findings {
        eprintln!("{task}: {finding}");
    }
    findings.is_empty()
}
