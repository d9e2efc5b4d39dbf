//! `bkcache`: inspects, verifies, copies and converts BuildKit remote caches.
//!
//! Presentation only: every operation is a function of a library. Results go to standard output, progress and errors
//! to standard error.

mod cli;
mod commands;
mod credentials;
mod failure;
mod help;
mod interrupt;
mod open;
mod output;
mod progress;
mod report;
mod signal;
mod stores;

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;

use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no errors, even if its reader has closed it.
            let written =
                failure::Doing::doing(error.print(), || "cannot write to standard output".to_owned());
            return match written {
                Err(failure @ Failure::Failed { .. }) if !error.use_stderr() => failure.exit_code(),
                _ => ExitCode::from(if error.use_stderr() { 2 } else { 0 }),
            };
        }
    };
    let verbose = cli.global.verbose;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, verbose);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = failure::Doing::doing(runtime, || "cannot start".to_owned())?;
    let global = cli.global;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Ls(args) => commands::ls::run(&args, &global).await,
            Command::Inspect(args) => commands::inspect::run(&args, &global).await,
            Command::Manifest(args) => commands::manifest::run(&args, &global).await,
            Command::Config(args) => commands::config::run(&args, &global).await,
            Command::Copy(args) => commands::copy::run(&args, &global).await,
            Command::Verify(args) => commands::verify::run(&args, &global).await,
            Command::Export(args) => commands::export::run(&args, &global).await,
            Command::Completions { shell } => commands::completions::run(shell),
        }
    });
    if let Err(Failure::Interrupted { .. }) = done {
        runtime.shutdown_timeout(interrupt::CLEARING);
    }
    done
}

/// Prints the line of a failure, and with `-v` its causes. Failures to print are ignored.
fn report(failure: &Failure, verbose: bool) {
    let style = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    let mut stderr = anstream::stderr().lock();
    if let Some(line) = failure.line() {
        let _ = writeln!(stderr, "{style}bkcache:{style:#} {line}");
    }
    if verbose {
        for cause in failure.causes() {
            let _ = writeln!(stderr, "  caused by: {cause}");
        }
    }
}
