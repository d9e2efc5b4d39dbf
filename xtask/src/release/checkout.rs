//! The state of the checkout that a release starts from: on main, nothing uncommitted, the same as the remote.
//!
//! It fetches, and changes nothing else.

use anyhow::{Context, Result, bail};

use super::git::Git;

/// The branch that releases are made from.
pub(crate) const BRANCH: &str = "main";
/// The remote that a release is pushed to.
pub(crate) const REMOTE: &str = "origin";

/// The commit that is checked out, after a look at the remote; an error if it is not what the remote has.
pub(crate) fn check(git: &Git) -> Result<String> {
    let branch = git.output(&["branch", "--show-current"])?;
    if branch != BRANCH {
        let branch = if branch.is_empty() { "no branch" } else { &branch };
        bail!("the checkout is on {branch}; a release is made from {BRANCH}: git switch {BRANCH}");
    }
    let changed = git.output(&["status", "--porcelain"])?.lines().count();
    if changed > 0 {
        bail!("files that are not committed: {changed}; commit or remove them: git status");
    }
    git.output(&["fetch", "--quiet", "--tags", REMOTE, BRANCH])
        .with_context(|| format!("cannot fetch {BRANCH} and the tags of {REMOTE}"))?;
    let remote = format!("{REMOTE}/{BRANCH}");
    let count = |range: String| git.output(&["rev-list", "--count", &range]);
    let (ahead, behind) = (count(format!("{remote}..HEAD"))?, count(format!("HEAD..{remote}"))?);
    if ahead != "0" {
        bail!("commits that are not on {remote}: {ahead}; push them first: git push {REMOTE} {BRANCH}");
    }
    if behind != "0" {
        bail!("commits of {remote} that are not here: {behind}; pull them first: git pull --ff-only");
    }
    let head = git.output(&["rev-parse", "HEAD"])?;
    println!("{BRANCH} is clean, and is {remote}: {head}");
    Ok(head)
}
