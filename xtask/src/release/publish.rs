//! What leaves this machine, in this order: main, the crates, the tag.
//!
//! The index is asked before and after each crate. A crate that it has is skipped; with another checksum it ends the
//! release. A crate is uploaded only if its package, made again, is the one that was verified.

use anyhow::{Result, bail};

use super::checkout::{BRANCH, REMOTE};
use super::git::Git;
use super::index::Index;
use super::packages::{Packager, Packed};
use super::step::{run, section};
use super::target::Target;

/// Publishes packages that were verified.
pub(crate) struct Publisher {
    pub(crate) index: Index,
    pub(crate) packager: Packager,
    /// The verified packages, each after those that it needs.
    pub(crate) verified: Vec<Packed>,
}

impl Publisher {
    /// Prints which packages are to be published; an error if the registry has another package of this version.
    pub(crate) fn compare(&self) -> Result<()> {
        for package in &self.verified {
            let state = if self.has(package)? { "published" } else { "to publish" };
            let (name, version) = (&package.name, self.packager.version());
            println!("{name} {version}: {state}, {} bytes, sha256 {}", package.size, package.sha256);
        }
        Ok(())
    }

    /// Publishes the crates that the registry does not have.
    pub(crate) fn publish(&self) -> Result<()> {
        let count = self.verified.len();
        for (number, package) in (1..).zip(&self.verified) {
            section(&format!("publish {} {}, {number} of {count}", package.name, self.packager.version()));
            if self.has(package)? {
                println!("the registry has it");
            } else {
                self.publish_one(package)?;
            }
        }
        Ok(())
    }

    /// Publishes one crate. The index has the checksum of what was uploaded, so it is asked afterwards.
    fn publish_one(&self, verified: &Packed) -> Result<()> {
        let name = &verified.name;
        let packed = self.packager.pack(name)?;
        if packed != *verified {
            bail!(
                "the package of {name} has SHA-256 {}, and the one that was verified has {}; run the release again, \
                 and report this if it stays",
                packed.sha256,
                verified.sha256
            );
        }
        self.packager.publish(name)?;
        if !self.has(verified)? {
            bail!(
                "{name} is uploaded, but the index does not have it yet; run the release again in some minutes"
            );
        }
        Ok(())
    }

    /// Whether the registry has the package.
    fn has(&self, package: &Packed) -> Result<bool> {
        let (name, version) = (&package.name, self.packager.version());
        match self.index.checksum(name, version)? {
            None => Ok(false),
            Some(checksum) if checksum == package.sha256 => Ok(true),
            Some(checksum) => bail!(
                "the registry has another {name} {version}, with checksum {checksum}; if it was published from \
                 this commit, use the same cargo; otherwise release a greater version"
            ),
        }
    }
}

/// Pushes the commit to the remote's main, and moves the checkout to it.
pub(crate) fn push_main(checkout: &Git, commit: &str) -> Result<()> {
    section(&format!("push {BRANCH}"));
    if checkout.succeeds(&["merge-base", "--is-ancestor", commit, "HEAD"])? {
        println!("{REMOTE}/{BRANCH} has {commit}");
        return Ok(());
    }
    let mut push = checkout.command(&["push", "--quiet", REMOTE, &format!("{commit}:refs/heads/{BRANCH}")]);
    run(&mut push, "nothing was published; see what the remote says, and run the release again")?;
    let mut merge = checkout.command(&["merge", "--quiet", "--ff-only", commit]);
    run(&mut merge, "the remote has the commit; pull it, and run the release again: git pull --ff-only")
}

/// Tags the commit, and pushes the tag.
pub(crate) fn push_tag(checkout: &Git, commit: &str, target: &Target) -> Result<()> {
    let tag = target.tag();
    section(&format!("tag {tag}"));
    if checkout.commit(&format!("refs/tags/{tag}"))?.is_none() {
        let mut annotate = checkout.command(&["tag", "--annotate", "--message", &tag, &tag, commit]);
        run(&mut annotate, "all crates are published; see what git says, and run the release again")?;
    }
    let mut push = checkout.command(&["push", "--quiet", REMOTE, &format!("refs/tags/{tag}")]);
    run(&mut push, "all crates are published; see what the remote says, and run the release again")
}
