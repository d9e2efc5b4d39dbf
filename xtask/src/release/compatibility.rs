//! Whether the version says enough: cargo-semver-checks compares each library with the last release.

use anyhow::Result;

use crate::command::cargo;
use crate::workspace::Package;

use super::git::Git;
use super::step::run;
use super::target::Target;

/// Compares the libraries in a worktree with those of the last tag. A crate that the tag does not have is left out.
pub(crate) fn check(git: &Git, target: &Target, published: &[&Package]) -> Result<()> {
    let Some(tag) = target.last_tag() else {
        println!("no release yet: there is nothing to compare with");
        return Ok(());
    };
    let mut check = cargo();
    check.current_dir(&git.folder).args(["semver-checks", "--baseline-rev", &tag]);
    let mut compared = 0;
    for package in published.iter().filter(|package| package.is_library) {
        let folder = package.folder.strip_prefix(&git.folder).unwrap_or(&package.folder);
        if git.succeeds(&["cat-file", "-e", &format!("{tag}:{}/Cargo.toml", folder.display())])? {
            check.args(["--package", &package.name]);
            compared += 1;
        } else {
            println!("{} is new since {tag}", package.name);
        }
    }
    if compared == 0 {
        println!("no library of {tag} is left: there is nothing to compare");
        return Ok(());
    }
    install()?;
    run(&mut check, "release a greater version, or mend what breaks users")
}

/// Installs cargo-semver-checks if it is missing.
fn install() -> Result<()> {
    if cargo().args(["semver-checks", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let mut install = cargo();
    install.args(["install", "--quiet", "--locked", "cargo-semver-checks"]);
    run(&mut install, "install cargo-semver-checks, and run the release again")
}
