//! `cargo xtask release`: the checks before a version is released, and the commands that release it.
//!
//! It changes nothing without `--execute`, and with it only after every check has passed.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, line, root, step};
use crate::report::report;
use crate::workspace::{Kind, Package, Workspace};
use crate::{circles, edges, minimal_versions, tidy};

/// The branch that releases are made from.
const BRANCH: &str = "main";

/// Options of `cargo xtask release`.
#[derive(Args)]
pub(crate) struct Release {
    /// Check, and print the commands (the default)
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Run the commands once every check has passed
    #[arg(long)]
    execute: bool,
}

impl Release {
    /// Runs all checks and reports all failures; true when there is none.
    pub(crate) fn run(&self) -> Result<bool> {
        let workspace = Workspace::load(&root())?;
        let published = publication_order(&workspace.packages)?;
        let version = one_version(&published)?;
        let tag = format!("v{version}");
        println!("== {tag}: {} crates", published.len());

        let mut good = report("tree", &tree(&tag)?);
        good &= report("changelog", &changelog(&version));
        good &= report("edges", &edges::check(&workspace.packages));
        good &= report("circle", &circles::check(&workspace.packages)?);
        good &= report("tidy", &tidy::check(&root())?);
        good &= step(cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;
        good &= step(cargo().args(["test", "--workspace"]))?;
        good &= minimal_versions::check()?;
        let mut package = cargo();
        package.args(["package", "--no-verify"]);
        package.args(published.iter().flat_map(|name| ["-p", name.name.as_str()]));
        good &= step(&mut package)?;

        println!("== {}", if good { "to publish" } else { "not ready; to publish once it is" });
        for mut command in commands(&published, &tag) {
            if self.execute && !self.dry_run && good {
                if !step(&mut command)? {
                    bail!("stopped at: {}", line(&command));
                }
            } else {
                println!("{}", line(&command));
            }
        }
        Ok(good)
    }
}

/// The published crates, each after the crates that it depends on.
fn publication_order(packages: &[Package]) -> Result<Vec<&Package>> {
    let mut waiting: Vec<&Package> = packages.iter().filter(|package| package.published).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let needs = |package: &Package| {
            let mut needed = package.dependencies.iter().filter(|dep| dep.kind != Kind::Dev || dep.versioned);
            needed.any(|dep| waiting.iter().any(|other| other.name == dep.name))
        };
        let (blocked, ready): (Vec<&Package>, Vec<&Package>) =
            waiting.iter().partition(|package| needs(package));
        if ready.is_empty() {
            let names: Vec<&str> = blocked.iter().map(|package| package.name.as_str()).collect();
            bail!("these crates need one another, so none can be published first: {}", names.join(", "));
        }
        order.extend(ready);
        waiting = blocked;
    }
    Ok(order)
}

/// The version that all crates share.
fn one_version(packages: &[&Package]) -> Result<String> {
    let first = packages.first().context("no crate of this workspace is published")?;
    if let Some(other) = packages.iter().find(|package| package.version != first.version) {
        bail!("{} has version {}, {} has {}", first.name, first.version, other.name, other.version);
    }
    Ok(first.version.clone())
}

/// Findings about the working tree.
fn tree(tag: &str) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let branch = git(&["rev-parse", "--abbrev-ref", "HEAD"])?;
    if branch != BRANCH {
        findings.push(format!("on {branch}, not on {BRANCH}"));
    }
    let changed = git(&["status", "--porcelain"])?.lines().count();
    if changed > 0 {
        findings.push(format!("{changed} files are not committed"));
    }
    if !git(&["tag", "--list", tag])?.is_empty() {
        findings.push(format!("{tag} is tagged already"));
    }
    Ok(findings)
}

/// Findings about the changelog.
fn changelog(version: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap_or_default();
    if has_section(&text, version) {
        Vec::new()
    } else {
        vec![format!("CHANGELOG.md has no section `## {version}`")]
    }
}

/// Whether a second-level heading names the version, with or without brackets, a `v`, a date.
fn has_section(text: &str, version: &str) -> bool {
    text.lines().filter_map(|line| line.strip_prefix("## ")).any(|heading| {
        let word = heading.split_whitespace().next().unwrap_or_default();
        let word = word.trim_start_matches('[').trim_end_matches(']');
        word.strip_prefix('v').unwrap_or(word) == version
    })
}

/// The commands that release, in order.
fn commands(packages: &[&Package], tag: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    for package in packages {
        let mut publish = cargo();
        publish.args(["publish", "-p", &package.name]);
        commands.push(publish);
    }
    for args in [vec!["tag", "-a", tag, "-m", tag], vec!["push", "origin", tag]] {
        let mut command = Command::new("git");
        command.current_dir(root()).args(args);
        commands.push(command);
    }
    commands
}

fn git(args: &[&str]) -> Result<String> {
    let output = Command::new("git").current_dir(root()).args(args).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, Kind, bool)]) -> Package {
        let dependency = |(name, kind, versioned): &(&str, Kind, bool)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
            versioned: *versioned,
        };
        Package {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            folder: PathBuf::new(),
            roots: Vec::new(),
            published: true,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn order(packages: &[Package]) -> Result<Vec<&str>> {
        Ok(publication_order(packages)?.iter().map(|package| package.name.as_str()).collect())
    }

    #[test]
    fn a_crate_is_published_after_its_dependencies() {
        let packages = [
            package("program", &[("library", Kind::Normal, true)]),
            package("library", &[("base", Kind::Normal, true), ("program", Kind::Dev, false)]),
            package("base", &[]),
        ];
        assert_eq!(order(&packages).unwrap(), ["base", "library", "program"]);
    }

    #[test]
    fn crates_that_depend_on_one_another_cannot_be_published() {
        let packages = [package("a", &[("b", Kind::Dev, true)]), package("b", &[("a", Kind::Normal, true)])];
        assert!(order(&packages).unwrap_err().to_string().ends_with(": a, b"));
    }

    #[test]
    fn this_workspace_has_an_order_and_one_version() {
        let workspace = Workspace::load(&root()).unwrap();
        let published = publication_order(&workspace.packages).unwrap();
        assert!(one_version(&published).is_ok());
        let is_ours = |name: &str| name == "bkcache" || name.starts_with("cache-");
        assert!(published.iter().all(|package| is_ours(&package.name)));
    }

    #[test]
    fn a_section_of_the_changelog_is_a_heading_with_the_version() {
        for (text, expected) in [
            ("# Changes\n\n## 1.2.3\n", true),
            ("## [1.2.3] - 2026-01-02\n", true),
            ("## v1.2.3\n", true),
            ("## 1.2.30\n", false),
            ("1.2.3\n", false),
            ("", false),
        ] {
            assert_eq!(has_section(text, "1.2.3"), expected, "{text:?}");
        }
    }
}
