//! `cargo xtask downstream`: the crates of `tests/downstream`, which are outside of the workspace as those of other people.
//!
//! Each is tested alone, so that no crate gets a feature that another one asks for.

use anyhow::Result;

use crate::command::{cargo, root, step};
use crate::workspace::Workspace;

/// Whether the tests of every crate pass.
pub(crate) fn check() -> Result<bool> {
    let folder = root().join("tests/downstream");
    let target = root().join("target/downstream");
    let mut good = true;
    for package in Workspace::load(&folder)?.packages {
        let mut test = cargo();
        test.current_dir(&folder).env("CARGO_TARGET_DIR", &target);
        good &= step(test.args(["test", "--quiet", "--locked", "--package", &package.name]))?;
    }
    Ok(good)
}
