//! `cargo xtask release`: from a clean main to published crates and a tag, each step once.
//!
//! The commit of the release is made, checked and packaged in a worktree of its own, below `target`. Without `--execute`
//! nothing else changes. With it main, the registry and the tag follow, in this order, after every check has passed. A
//! release that was interrupted is continued by the same command. This file holds the order of the steps.

mod changelog;
mod checkout;
mod compatibility;
mod git;
mod index;
mod manifests;
mod order;
mod packages;
mod pages;
mod prepare;
mod proof;
mod publish;
mod step;
mod target;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, line, root};
use crate::workspace::{Package, Workspace};

use checkout::BRANCH;
use git::Git;
use index::Index;
use packages::Packager;
use prepare::Worktree;
use proof::Proof;
use publish::Publisher;
use step::{MEND, run, section};
use target::{Target, Wanted};

/// Options of `cargo xtask release`.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask release minor\n\n\
    Without --execute it prints what it would publish, and changes nothing but target.\n\
    CONTRIBUTING.md, \"Releases\", says what each step does and how a release is continued.")]
pub(crate) struct Release {
    /// The version, or the part of the present version that grows: patch, minor or major
    #[arg(value_name = "VERSION|patch|minor|major")]
    version: Wanted,
    /// Push main, publish the crates and push the tag, once every check has passed
    #[arg(long)]
    execute: bool,
    /// The checkout to release; by default this one
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// The registry to publish to, whose sparse index CARGO_REGISTRIES_NAME_INDEX names; by default crates.io
    #[arg(long, value_name = "NAME")]
    registry: Option<String>,
}

impl Release {
    /// Runs the steps. An error says which command failed, and what to do.
    pub(crate) fn run(&self) -> Result<()> {
        let index = Index::of(self.registry.as_deref())?;
        let checkout = Git::at(&self.root.clone().unwrap_or_else(root))?;

        section("checkout");
        let head = checkout::check(&checkout)?;
        section("version");
        let target = Target::choose(&checkout, &self.version)?;
        println!("{target}");
        if target.is_finished {
            println!("{} is released: nothing to do", target.tag());
            return Ok(());
        }
        if target.commit.is_none() {
            let changelog = fs::read_to_string(checkout.folder.join("CHANGELOG.md"));
            changelog::check(&changelog.context("cannot read CHANGELOG.md")?)?;
        }

        section("commit");
        let tree = Worktree::prepare(&checkout, &target)?;
        let workspace = Workspace::load(&tree.git.folder)?;
        let published = order::publication_order(&workspace.packages)?;
        section("compatibility");
        compatibility::check(&tree.git, &target, &published)?;
        section("checks");
        check(&checkout, &tree)?;
        section("packages");
        let publisher = self.package(index, &checkout, &tree, &published)?;
        section("to publish");
        publisher.compare()?;

        if !self.execute {
            section("nothing was published");
            println!(
                "the same command with --execute pushes {} to {BRANCH}, publishes these crates, and pushes {}",
                tree.commit,
                target.tag()
            );
            return Ok(());
        }
        section("checkout, again");
        if checkout::check(&checkout)? != head {
            bail!("main has moved during the checks; run the release again");
        }
        publish::push_main(&checkout, &tree.commit)?;
        publisher.publish()?;
        publish::push_tag(&checkout, &tree.commit, &target)?;
        tree.remove(&checkout)?;
        section("released");
        println!("the workflow release.yml makes the archives of {}; see that it succeeds", target.tag());
        Ok(())
    }

    /// Makes and verifies the packages.
    fn package(
        &self,
        index: Index,
        checkout: &Git,
        tree: &Worktree,
        published: &[&Package],
    ) -> Result<Publisher> {
        let version = order::one_version(published)?;
        let names: Vec<String> = published.iter().map(|package| package.name.clone()).collect();
        let packager = Packager::new(checkout, tree, self.registry.as_deref(), &version)?;
        let verified = packager.verify(&names)?;
        Ok(Publisher { index, packager, verified })
    }
}

/// Runs the checks of the repository in the worktree, except those that have passed on the same files.
fn check(checkout: &Git, tree: &Worktree) -> Result<()> {
    let proof = Proof::of(checkout, &tree.commit)?;
    let mut checks = [
        ("ci", Command::new("bash"), [".ci/run"].as_slice()),
        ("minimal-versions", cargo(), &["xtask", "minimal-versions"]),
        ("package", cargo(), &["xtask", "package"]),
    ];
    for (name, command, args) in &mut checks {
        command.current_dir(&tree.git.folder).args(*args);
        if proof.has(name) {
            println!("{}: passed before, on the same files", line(command));
        } else {
            run(command, MEND)?;
            proof.note(name)?;
        }
    }
    Ok(())
}
