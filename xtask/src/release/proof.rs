//! The proof that the checks have passed on a tree of files, so that a release that is continued need not repeat them.
//!
//! It is an empty file below `target`, named by git's ID of the tree. Whoever removes `target` removes the proof.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::git::Git;

/// The place of the proof for one tree.
pub(crate) struct Proof {
    file: PathBuf,
}

impl Proof {
    /// The proof for the tree of a commit.
    pub(crate) fn of(checkout: &Git, commit: &str) -> Result<Self> {
        let tree = checkout.output(&["rev-parse", &format!("{commit}^{{tree}}")])?;
        Ok(Self { file: checkout.folder.join("target/xtask-release/passed").join(tree) })
    }

    /// Whether the checks have passed.
    pub(crate) fn exists(&self) -> bool {
        self.file.exists()
    }

    /// Notes that the checks have passed.
    pub(crate) fn write(&self) -> Result<()> {
        let folder = self.file.parent().context("a proof is in a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.file, ""))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}
