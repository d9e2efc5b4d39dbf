//! What a step of a release shows: its heading, the commands that it runs, and the advice when one fails.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::line;

/// The advice where the files of main are at fault.
pub(crate) const MEND: &str = "mend it on main, push, and run the release again";

/// Prints the heading of a step.
pub(crate) fn section(title: &str) {
    println!("\n== {title}");
}

/// Runs a command with its output shown. If it fails, the error names the command and ends with the advice.
pub(crate) fn run(command: &mut Command, advice: &str) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run {line}"))?;
    if !status.success() {
        bail!("{line} failed; {advice}");
    }
    Ok(())
}
