//! Git in one folder: commands and their output.
//!
//! It knows nothing of releases.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// A folder in which git runs: a checkout or a worktree.
pub(crate) struct Git {
    pub(crate) folder: PathBuf,
}

impl Git {
    /// Git in an existing folder.
    pub(crate) fn at(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// A command, to be run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).args(args);
        command
    }

    /// The output of a command that must succeed, without white space at its ends.
    pub(crate) fn output(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args)?;
        if !output.status.success() {
            bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Whether a command succeeds. Its output is not shown.
    pub(crate) fn succeeds(&self, args: &[&str]) -> Result<bool> {
        Ok(self.run(args)?.status.success())
    }

    /// The commit that a revision names, if there is one.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<String>> {
        let peeled = format!("{revision}^{{commit}}");
        let output = self.run(&["rev-parse", "--quiet", "--verify", &peeled])?;
        let found = output.status.success();
        Ok(found.then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }

    fn run(&self, args: &[&str]) -> Result<Output> {
        self.command(args).output().context("cannot run git")
    }
}
