//! Which version is released, and whether an earlier run has begun with it.
//!
//! A release is begun when main has its commit, `release: VERSION`. It is finished when the remote has its tag. A word
//! (patch, minor, major) counts from the version before a release that was begun and not finished, so that the same
//! command continues it.

use std::fmt;
use std::fs;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use semver::Version;

use super::checkout::REMOTE;
use super::git::Git;
use super::manifests;

/// The version that the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Exact(Version),
    Patch,
    Minor,
    Major,
}

/// The release that is made.
pub(crate) struct Target {
    pub(crate) version: Version,
    /// The greatest version with a tag in the history of main, other than this one.
    pub(crate) last: Option<Version>,
    /// The commit of the release, if it was begun.
    pub(crate) commit: Option<String>,
    /// Whether the remote has the tag of this release.
    pub(crate) is_finished: bool,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "patch" => Ok(Self::Patch),
            "minor" => Ok(Self::Minor),
            "major" => Ok(Self::Major),
            _ => text
                .parse()
                .map(Self::Exact)
                .map_err(|_| "give a version such as 1.2.3, or patch, minor or major".to_owned()),
        }
    }
}

impl Wanted {
    /// The version that is asked for, when `base` is the present one.
    fn after(&self, base: &Version) -> Version {
        match self {
            Self::Exact(version) => version.clone(),
            Self::Patch => Version::new(base.major, base.minor, base.patch + 1),
            Self::Minor => Version::new(base.major, base.minor + 1, 0),
            Self::Major => Version::new(base.major + 1, 0, 0),
        }
    }
}

impl Target {
    /// Chooses the version, after a fetch; an error if it cannot be released.
    pub(crate) fn choose(git: &Git, wanted: &Wanted) -> Result<Self> {
        let manifest = fs::read_to_string(git.folder.join("Cargo.toml")).context("cannot read Cargo.toml")?;
        let present = manifests::version(&manifest)?;
        let begun = release_commit(git, &present)?;
        let tagged = remote_tag(git, &tag(&present))?;
        let is_finished = begun.is_some() && begun == tagged;
        let base = match &begun {
            Some(commit) if !is_finished => {
                manifests::version(&git.output(&["show", &format!("{commit}^:Cargo.toml")])?)?
            }
            _ => present.clone(),
        };
        let version = wanted.after(&base);
        let last = last_version(git, &version)?;
        let is_present = version == present;
        let commit = begun.filter(|_| is_present);
        let target = Self { version, last, is_finished: is_finished && is_present, commit };
        target.check(git, &present)?;
        Ok(target)
    }

    /// The name of the tag.
    pub(crate) fn tag(&self) -> String {
        tag(&self.version)
    }

    /// The name of the tag of the last release.
    pub(crate) fn last_tag(&self) -> Option<String> {
        self.last.as_ref().map(tag)
    }

    /// The subject of the commit.
    pub(crate) fn subject(&self) -> String {
        subject(&self.version)
    }

    fn check(&self, git: &Git, present: &Version) -> Result<()> {
        let (version, name) = (&self.version, self.tag());
        let tagged = git.commit(&format!("refs/tags/{name}"))?;
        if let Some(tagged) = tagged.filter(|tagged| Some(tagged) != self.commit.as_ref()) {
            bail!("{name} is the tag of another commit, {tagged}; choose a greater version");
        }
        if self.commit.is_some() {
            return Ok(());
        }
        if let Some(last) = self.last.as_ref().filter(|last| *last >= version) {
            bail!("{version} is not greater than {last}, the last release; choose a greater version");
        }
        if version < present {
            bail!("{version} is less than {present}, the version in Cargo.toml; choose a greater version");
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version)?;
        match &self.last {
            Some(last) => write!(f, " after {last}")?,
            None => write!(f, ", the first release")?,
        }
        match &self.commit {
            Some(commit) => write!(f, ", begun with {commit}"),
            None => Ok(()),
        }
    }
}

fn tag(version: &Version) -> String {
    format!("v{version}")
}

fn subject(version: &Version) -> String {
    format!("release: {version}")
}

/// The newest commit in the history that is the release of a version.
fn release_commit(git: &Git, version: &Version) -> Result<Option<String>> {
    let subject = subject(version);
    let log = git.output(&["log", "--format=%H %s", "--fixed-strings", &format!("--grep={subject}")])?;
    let mut commits = log.lines().filter_map(|line| line.split_once(' '));
    Ok(commits.find(|(_, found)| *found == subject).map(|(commit, _)| commit.to_owned()))
}

/// The commit that a tag of the remote names. An annotated tag is followed by a line for its commit, with `^{}`.
fn remote_tag(git: &Git, tag: &str) -> Result<Option<String>> {
    let name = format!("refs/tags/{tag}");
    let listed = git.output(&["ls-remote", REMOTE, &name, &format!("{name}^{{}}")])?;
    Ok(listed.lines().last().and_then(|line| line.split_whitespace().next()).map(str::to_owned))
}

/// The greatest version with a tag in the history, other than the one that is to be released.
fn last_version(git: &Git, version: &Version) -> Result<Option<Version>> {
    let tags = git.output(&["tag", "--list", "v*", "--merged", "HEAD"])?;
    let versions = tags.lines().filter_map(|tag| Version::parse(tag.strip_prefix('v')?).ok());
    Ok(versions.filter(|found| found != version).max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_the_part_that_grows() {
        let base = Version::new(1, 2, 3);
        for (word, expected) in
            [("patch", "1.2.4"), ("minor", "1.3.0"), ("major", "2.0.0"), ("7.0.1", "7.0.1")]
        {
            let wanted: Wanted = word.parse().unwrap();
            assert_eq!(wanted.after(&base).to_string(), expected, "{word}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["v1.2.3", "1.2", "next", ""] {
            assert!(
                text.parse::<Wanted>().unwrap_err().starts_with("give a version such as 1.2.3"),
                "{text}"
            );
        }
    }
}
