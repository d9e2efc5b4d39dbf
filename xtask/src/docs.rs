//! `cargo xtask docs`: writes the files of `docs` that the program makes itself.
//!
//! The tests of bkcache know what is in them, as they compare. This only runs these tests, so it depends on no crate of the
//! product.

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, step};

/// Which files, and what is done with them.
#[derive(Args)]
pub(crate) struct Docs {
    /// Write nothing; fail if a file is not current
    #[arg(long)]
    check: bool,
}

impl Docs {
    /// Whether the files are current, or were written.
    pub(crate) fn run(&self) -> Result<bool> {
        let mut command = cargo();
        command.args(["test", "--package", "bkcache", "--test", "docs", "--", "generated::"]);
        if !self.check {
            command.env("BKCACHE_DOCS", "overwrite");
        }
        step(&mut command)
    }
}
