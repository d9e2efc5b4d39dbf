//! The programs that are measured, and the command line with which each copies.
//!
//! A program that is not installed is left out, with a line that says how to install it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{bkcache, is_installed, words};

/// The measured programs, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Cp,
    /// `bkcache` without fsync.
    Unsynced,
    /// `bkcache` with its defaults.
    Synced,
    /// `bkcache` once more, into the output of [`Synced`](Self::Synced).
    Again,
    /// As [`Again`](Self::Again), reading the blobs that exist.
    Rehash,
    Skopeo,
    /// No program: the same bytes written and synced.
    Disk,
    /// No program: the same bytes hashed.
    Hash,
}

impl Program {
    pub(super) const ALL: [Self; 8] = [
        Self::Cp,
        Self::Unsynced,
        Self::Synced,
        Self::Again,
        Self::Rehash,
        Self::Skopeo,
        Self::Disk,
        Self::Hash,
    ];
    /// The programs with which successive rounds begin, so that none always comes first.
    pub(super) const STARTS: [Self; 3] = [Self::Cp, Self::Unsynced, Self::Synced];

    /// The name of its output folder.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Cp => "cp",
            Self::Unsynced => "unsynced",
            Self::Synced | Self::Again | Self::Rehash => "synced",
            Self::Skopeo => "skopeo",
            Self::Disk => "disk",
            Self::Hash => "hash",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cp => "cp -r",
            Self::Unsynced => "bkcache copy --no-sync",
            Self::Synced => "bkcache copy",
            Self::Again => "bkcache copy, again",
            Self::Rehash => "bkcache copy --rehash, again",
            Self::Skopeo => "skopeo copy",
            Self::Disk => "the disk: write, fsync",
            Self::Hash => "the processors: SHA-256",
        })
    }
}

/// The programs that are installed.
pub(super) struct Programs {
    bkcache: PathBuf,
    skopeo: bool,
    strace: bool,
}

impl Programs {
    /// Builds `bkcache` and looks for the others.
    pub(super) fn find() -> Result<Self> {
        Ok(Self { bkcache: bkcache()?, skopeo: is_installed("skopeo"), strace: is_installed("strace") })
    }

    /// The programs that can be measured.
    pub(super) fn present(&self) -> impl Iterator<Item = Program> {
        Program::ALL.into_iter().filter(|program| *program != Program::Skopeo || self.skopeo)
    }

    pub(super) fn has_strace(&self) -> bool {
        self.strace
    }

    /// The command line that copies a layout.
    pub(super) fn command(&self, program: Program, from: &Path, to: &Path) -> Result<Vec<OsString>> {
        let bkcache = |option: &[&str]| {
            let mut line = words(&["copy", "--quiet"]);
            line.insert(0, self.bkcache.clone().into());
            line.extend(words(option));
            line.extend([from.into(), to.into()]);
            line
        };
        Ok(match program {
            Program::Cp => {
                let mut line = words(&["cp", "-r"]);
                line.extend([from.into(), to.into()]);
                line
            }
            Program::Unsynced => bkcache(&["--no-sync"]),
            Program::Synced | Program::Again => bkcache(&[]),
            Program::Rehash => bkcache(&["--rehash"]),
            Program::Skopeo => {
                let mut line = words(&["skopeo", "--insecure-policy", "copy", "--quiet"]);
                line.extend([from, to].map(|path| format!("oci:{}:latest", path.display()).into()));
                line
            }
            Program::Disk | Program::Hash => bail!("the machine itself is no program"),
        })
    }

    /// A line for each program that is not there.
    pub(super) fn missing(&self) -> String {
        let missing = [("skopeo", self.skopeo), ("strace", self.strace)];
        let lines = missing.iter().filter(|(_, there)| !there).map(|(name, _)| {
            format!("{name} is not installed, and was left out: apt-get install {name}, on Debian\n")
        });
        lines.collect()
    }
}
