//! Harnesses that are programs of their own: `cargo xtask bench` and `cargo xtask crash` build one and run it.
//!
//! They use the crates of the product; xtask knows nothing of their options, so that it builds without those crates.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::command::cargo;

/// A package of this workspace that is a program.
#[derive(Clone, Copy)]
pub(crate) enum Harness {
    /// Always optimised.
    Bench,
    /// Built as the tests are, so that it shares their dependencies.
    Crash,
}

/// What a harness is given.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// The arguments of the harness; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Harness {
    /// Runs the harness; its exit code.
    pub(crate) fn run(self, arguments: &Arguments) -> Result<ExitCode> {
        let (package, options): (_, &[&str]) = match self {
            Self::Bench => ("bench", &["--release"]),
            Self::Crash => ("crash", &[]),
        };
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", package]).args(options);
        let status = command.arg("--").args(&arguments.arguments).status().context("cannot run cargo")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
