//! The packages of the crates: made and verified all at once, and made again one by one to be uploaded.
//!
//! A package is the same to the byte whenever it is made from one commit by one cargo. So its SHA-256 says whether the
//! bytes that are uploaded are those that were verified. Each commit has a target folder of its own: cargo unpacks the
//! packages of one target folder once for each version, so it would build crates with the packages of an older commit.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::command::cargo;

use super::git::Git;
use super::prepare::Worktree;
use super::step::{MEND, run};

/// Makes packages of the crates of one commit.
pub(crate) struct Packager {
    /// The folder of the workspace.
    folder: PathBuf,
    /// The target folder of the commit.
    target: PathBuf,
    /// The registry that the packages are for; by default crates.io.
    registry: Option<String>,
    version: String,
}

/// A package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: usize,
    /// Hexadecimal, as in the index.
    pub(crate) sha256: String,
}

impl Packager {
    /// For the commit of a worktree, whose crates have this version. The target folders of other commits are removed.
    pub(crate) fn new(
        checkout: &Git,
        tree: &Worktree,
        registry: Option<&str>,
        version: &str,
    ) -> Result<Self> {
        let targets = checkout.folder.join("target/xtask-release/packages");
        let target = targets.join(&tree.commit);
        fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
        for other in fs::read_dir(&targets).with_context(|| format!("cannot list {}", targets.display()))? {
            let other = other.with_context(|| format!("cannot list {}", targets.display()))?.path();
            if other != target {
                fs::remove_dir_all(&other).with_context(|| format!("cannot remove {}", other.display()))?;
            }
        }
        let registry = registry.map(str::to_owned);
        Ok(Self { folder: tree.git.folder.clone(), target, registry, version: version.to_owned() })
    }

    /// The version of the crates.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Packages the crates together, and builds each from its package and those of the others.
    pub(crate) fn verify(&self, names: &[String]) -> Result<Vec<Packed>> {
        let mut package = self.cargo("package");
        package.args(names.iter().flat_map(|name| ["--package", name]));
        run(&mut package, MEND)?;
        names.iter().map(|name| self.read(name)).collect()
    }

    /// Packages one crate, without building it.
    pub(crate) fn pack(&self, name: &str) -> Result<Packed> {
        let mut package = self.cargo("package");
        package.args(["--quiet", "--no-verify", "--package", name]);
        run(&mut package, "see what cargo says, and run the release again")?;
        self.read(name)
    }

    /// Packages one crate as `pack` does, uploads it, and waits until the index has it.
    pub(crate) fn publish(&self, name: &str) -> Result<()> {
        let mut publish = self.cargo("publish");
        publish.args(["--no-verify", "--package", name]);
        run(
            &mut publish,
            "do what the registry says above, then run the same command again: it skips what is published",
        )
    }

    fn cargo(&self, task: &str) -> Command {
        let mut command = cargo();
        command.current_dir(&self.folder).arg(task).arg("--target-dir").arg(&self.target);
        command.args(self.registry.iter().flat_map(|name| ["--registry", name]));
        command
    }

    fn read(&self, name: &str) -> Result<Packed> {
        let file = self.target.join("package").join(format!("{name}-{}.crate", self.version));
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let sha256 = const_hex::encode(Sha256::digest(&bytes));
        Ok(Packed { name: name.to_owned(), size: bytes.len(), sha256 })
    }
}
