//! `cargo xtask docs`: writes the files of `docs` that the program makes itself.
//!
//! The tests of bkcache know what is in them, as they compare. This only runs these tests, so it depends on no crate of the
//! product.

use anyhow::Result;

use crate::command::{cargo, step};

/// Whether the files were written.
pub(crate) fn write() -> Result<bool> {
    let mut command = cargo();
    command.args(["test", "--package", "bkcache", "--test", "docs", "--", "generated::"]);
    step(command.env("BKCACHE_DOCS", "overwrite"))
}
