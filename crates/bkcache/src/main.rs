//! `bkcache`: inspects, verifies, copies, merges, prunes and repairs BuildKit remote caches.
//!
//! Presentation only: every operation is a function of a library. Results go to standard output, progress and errors
//! to standard error.

mod checkup;
mod cli;
mod clock;
mod commands;
mod content;
mod content_report;
mod credentials;
mod dockerfile_edits;
mod edit;
mod edit_report;
mod failure;
mod finding_names;
mod help;
mod inputs;
mod interrupt;
mod labels;
mod lock;
mod mending;
mod messages;
mod metadata_file;
mod open;
mod output;
mod predict;
mod progress;
mod record_names;
mod report;
mod shell;
mod signal;
mod sources;
mod stores;
mod why;
mod words;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use failure::{Doing, Failure};
use messages::Messages;

/// The allocator of musl gives memory back to the kernel and asks for it again, which took up to half of a command's
/// processor time. Huge pages are off (`no_thp`): they saved no time, and took three times the memory.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&words::with_tip(error)),
    };
    let messages = Messages::of(&cli.global);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            messages.error(&failure);
            failure.exit_code()
        }
    }
}

/// Prints what clap has instead of arguments: an error, the help, or the version.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let messages = Messages::of_unparsed(arguments);
    if error.use_stderr() && messages.is_json() {
        let failure = Failure::Usage(first_paragraph(&error.render().to_string()));
        messages.error(&failure);
        return failure.exit_code();
    }
    // Help and version go to standard output and are no errors, even if its reader has closed it.
    let written = output::written(error.print(), output::writing);
    match written {
        Err(failure @ Failure::Failed { .. }) if !error.use_stderr() => {
            messages.error(&failure);
            failure.exit_code()
        }
        _ if error.use_stderr() => {
            let failure = Failure::Usage(String::new());
            messages.see(&failure);
            failure.exit_code()
        }
        _ => ExitCode::SUCCESS,
    }
}

/// The first paragraph of an error of clap as one line.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.doing(|| "cannot start".to_owned())?;
    let global = cli.global;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Ls(args) => commands::ls::run(&args, &global).await,
            Command::Inspect(args) => commands::inspect::run(&args, &global).await,
            Command::Layers(args) => commands::layers::run(&args, &global).await,
            Command::Manifest(args) => commands::manifest::run(&args, &global).await,
            Command::Config(args) => commands::config::run(&args, &global).await,
            Command::Copy(args) => commands::copy::run(&args, &global).await,
            Command::Merge(args) => commands::merge::run(&args, &global).await,
            Command::Prune(args) => commands::prune::run(&args, &global).await,
            Command::Repair(args) => commands::repair::run(&args, &global).await,
            Command::Diff(args) => commands::diff::run(&args, &global).await,
            Command::Label(args) => commands::label::run(&args, &global).await,
            Command::Why(args) => commands::why::run(&args, &global).await,
            Command::Predict(args) => commands::predict::run(&args, &global).await,
            Command::Verify(args) => commands::verify::run(&args, &global).await,
            Command::Doctor(args) => commands::doctor::run(&args, &global).await,
            Command::Export(args) => commands::export::run(&args, &global).await,
            Command::Tag(args) => commands::tag::run(&args, &global).await,
            Command::Rm(args) => commands::rm::run(&args, &global).await,
            Command::Gc(args) => commands::gc::run(&args, &global).await,
            Command::Completions { shell } => commands::completions::run(shell),
            Command::Man { folder } => commands::man::run(&folder),
        }
    });
    if let Err(Failure::Interrupted { .. }) = done {
        runtime.shutdown_timeout(interrupt::CLEARING);
    }
    done
}
