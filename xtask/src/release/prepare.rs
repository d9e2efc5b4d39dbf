//! The commit of a release, made in a worktree of its own, so that the checkout stays as it is.
//!
//! The worktree is kept until the release is finished: what was compiled in it serves the next run. The commit has the
//! same ID whenever it is made from the same commit on the same day, so a dry run shows what `--execute` publishes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use time::{Date, OffsetDateTime};

use crate::command::cargo;

use super::git::Git;
use super::step::{MEND, run};
use super::target::Target;
use super::{changelog, manifests, pages};

/// The manifests with a lockfile beside them, if they exist: of the workspace and of those outside of it.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "fuzz/Cargo.toml", "tests/downstream/Cargo.toml"];

/// A worktree that has the commit of the release.
pub(crate) struct Worktree {
    pub(crate) git: Git,
    pub(crate) commit: String,
}

impl Worktree {
    /// Makes the commit, or checks out the one that was begun with.
    pub(crate) fn prepare(checkout: &Git, target: &Target) -> Result<Self> {
        let git = at(checkout, target.commit.as_deref().unwrap_or("HEAD"))?;
        if target.commit.is_none() {
            let today = OffsetDateTime::now_utc().date();
            edit(&git, target, today)?;
            run(cargo().current_dir(&git.folder).args(["xtask", "docs"]), MEND)?;
            commit(&git, target, today)?;
        }
        let commit = git.output(&["rev-parse", "HEAD"])?;
        println!("{}", git.output(&["show", "--stat", "--format=%H %s", "HEAD"])?);
        Ok(Self { git, commit })
    }

    /// Removes the worktree, and all that was compiled for the release.
    pub(crate) fn remove(self, checkout: &Git) -> Result<()> {
        let tree = self.git.folder.display().to_string();
        checkout.output(&["worktree", "remove", "--force", &tree])?;
        let folder = checkout.folder.join("target/xtask-release");
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }
}

/// The worktree at a commit, without changes; files that git ignores stay.
fn at(checkout: &Git, start: &str) -> Result<Git> {
    let start = checkout.output(&["rev-parse", start])?;
    let folder = checkout.folder.join("target/xtask-release/tree");
    if folder.join(".git").exists() {
        let git = Git::at(&folder)?;
        git.output(&["checkout", "--quiet", "--force", "--detach", &start])?;
        git.output(&["clean", "-ffdq"])?;
        return Ok(git);
    }
    let path = folder.display().to_string();
    checkout
        .output(&["worktree", "add", "--quiet", "--force", "--detach", &path, &start])
        .with_context(|| format!("cannot make a worktree; if {path} is in the way, remove it"))?;
    Git::at(&folder)
}

/// Writes the version and the date, which is in UTC, into the files that have them.
fn edit(git: &Git, target: &Target, date: Date) -> Result<()> {
    let (tree, version) = (&git.folder, target.version.to_string());
    let manifest = tree.join("Cargo.toml");
    let old = manifests::version(&read(&manifest)?)?.to_string();
    rewrite(&manifest, |text| manifests::with_version(text, &target.version))?;
    rewrite(&tree.join("CHANGELOG.md"), |text| changelog::release(text, &version, &date.to_string()))?;
    let listed = git.output(&[&["ls-files", "-z", "--"], pages::FILES.as_slice()].concat())?;
    for name in listed.split_terminator('\0') {
        rewrite(&tree.join(name), |text| Ok(pages::with_version(text, &old, &version)))?;
    }
    for manifest in MANIFESTS.iter().filter(|manifest| tree.join(manifest).with_extension("lock").exists()) {
        // Versions of other crates stay: the option limits the update to the workspace.
        let update = ["update", "--quiet", "--workspace", "--manifest-path", manifest];
        run(cargo().current_dir(tree).args(update), MEND)?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn rewrite(file: &Path, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let old = read(file)?;
    let new = change(&old)?;
    if new != old {
        fs::write(file, new).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn commit(git: &Git, target: &Target, today: Date) -> Result<()> {
    git.output(&["add", "--all"])?;
    let parent = git.output(&["show", "--no-patch", "--format=%ct", "HEAD"])?;
    let parent: i64 = parent.parse().context("the commit has no date")?;
    let date = format!("@{} +0000", parent.max(today.midnight().assume_utc().unix_timestamp()));
    let mut commit = git.command(&["commit", "--quiet", "--message", &target.subject()]);
    commit.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
    run(&mut commit, MEND)
}
