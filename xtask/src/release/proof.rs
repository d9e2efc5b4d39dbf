//! The proof that checks have passed on a tree of files, so that a release that is continued need not repeat them.
//!
//! It is an empty file for each check, in a folder below `target` that is named by git's ID of the tree. To repeat the
//! checks, remove the folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::git::Git;

/// The proofs for one tree.
pub(crate) struct Proof {
    folder: PathBuf,
}

impl Proof {
    /// The proofs for the tree of a commit.
    pub(crate) fn of(checkout: &Git, commit: &str) -> Result<Self> {
        let tree = checkout.output(&["rev-parse", &format!("{commit}^{{tree}}")])?;
        Ok(Self { folder: checkout.folder.join("target/xtask-release/passed").join(tree) })
    }

    /// Whether a check has passed.
    pub(crate) fn has(&self, check: &str) -> bool {
        self.folder.join(check).exists()
    }

    /// Notes that a check has passed.
    pub(crate) fn note(&self, check: &str) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(self.folder.join(check), ""))
            .with_context(|| format!("cannot write to {}", self.folder.display()))
    }
}
