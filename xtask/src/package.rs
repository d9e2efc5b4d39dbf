//! `cargo xtask package`: whether each crate builds and passes its tests from its `.crate` file alone.
//!
//! The files are unpacked to a workspace of their own in `target/packages`, where the crates depend on one another as
//! unpacked, for they may not be published yet. What is compiled goes to the target folder of the workspace.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, root, step};
use crate::workspace::{self, Workspace};

/// Options of `cargo xtask package`.
#[derive(Args)]
pub(crate) struct Package {
    /// The crates to build and test; by default all that are published
    #[arg(value_name = "CRATE")]
    crates: Vec<String>,
}

impl Package {
    /// Packages all published crates, then builds and tests those that are asked for; true if all succeed.
    pub(crate) fn run(&self) -> Result<bool> {
        let Workspace { packages, target } = Workspace::load(&root())?;
        let published: Vec<_> = packages.iter().filter(|package| package.published).collect();
        if let Some(unknown) =
            self.crates.iter().find(|name| !published.iter().any(|package| package.name == **name))
        {
            bail!("{unknown} is no published crate of this workspace");
        }
        let folder = root().join("target/packages");
        if !step(&mut package_command(&published, &folder))? {
            return Ok(false);
        }
        let unpacked = folder.join("unpacked");
        unpack(&packages, &folder.join("package"), &unpacked)?;
        let mut good = true;
        for package in published {
            if self.crates.is_empty() || self.crates.contains(&package.name) {
                good &= verify(&package.name, &unpacked, &target)?;
            }
        }
        Ok(good)
    }
}

/// `cargo package` of some crates. Whether the tree is clean is for a release to say.
fn package_command(packages: &[&workspace::Package], folder: &Path) -> Command {
    let mut command = cargo();
    command.args(["package", "--quiet", "--no-verify", "--allow-dirty", "--target-dir"]).arg(folder);
    command.args(packages.iter().flat_map(|package| ["--package", &package.name]));
    command
}

/// Unpacks the `.crate` files of the published packages to a workspace, which is made anew.
fn unpack(packages: &[workspace::Package], from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for package in packages.iter().filter(|package| package.published) {
        extract(&from.join(format!("{}.crate", folder_name(package))), to)?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    fs::write(to.join("Cargo.toml"), workspace_manifest(packages, &manifest))
        .context("cannot write the manifest of the unpacked crates")?;
    // The versions that the workspace was tested with.
    fs::copy(root().join("Cargo.lock"), to.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    Ok(())
}

/// Unpacks a `.crate` file; its files get the present time.
///
/// In the `.crate` file all have the same time, which is long past. With it, cargo would run tests that it compiled from
/// an older package.
fn extract(archive: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["-x", "-z", "-m", "-f"]).arg(archive).arg("-C").arg(to);
    if !tar.status().context("cannot run tar")?.success() {
        bail!("cannot unpack {}", archive.display());
    }
    Ok(())
}

/// The folder in a `.crate` file.
fn folder_name(package: &workspace::Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// The manifest of a workspace of the unpacked packages, with the profiles of this one, so that dependencies are compiled
/// once. Profiles of packages that are not published are left out, for cargo warns of a profile without a package.
fn workspace_manifest(packages: &[workspace::Package], own: &str) -> String {
    let (published, others): (Vec<_>, Vec<_>) = packages.iter().partition(|package| package.published);
    let mut text =
        String::from("[workspace]\nresolver = \"3\"\nmembers = [\"*-[0-9]*\"]\n\n[patch.crates-io]\n");
    for package in published {
        text += &format!("{} = {{ path = \"{}\" }}\n", package.name, folder_name(package));
    }
    let is_of_others =
        |section: &str| others.iter().any(|other| section.contains(&format!(".package.{}]", other.name)));
    for section in own.split("\n\n").filter(|text| text.contains("[profile.") && !is_of_others(text)) {
        text += &format!("\n{}\n", section.trim());
    }
    text
}

/// Whether an unpacked crate builds without its dev-dependencies, and passes its tests.
fn verify(name: &str, workspace: &Path, target: &Path) -> Result<bool> {
    let run = |task: &str| {
        let mut command = cargo();
        command.current_dir(workspace).env("CARGO_TARGET_DIR", target);
        // A snapshot that differs is a failure, and no file is written beside it.
        command.env("INSTA_UPDATE", "no");
        step(command.args([task, "--quiet", "--package", name]))
    };
    Ok(run("build")? && run("test")?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn package(name: &str, published: bool) -> workspace::Package {
        workspace::Package {
            name: name.to_owned(),
            version: "1.2.3".to_owned(),
            folder: PathBuf::new(),
            roots: Vec::new(),
            is_library: true,
            published,
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn the_workspace_of_unpacked_crates_has_their_profiles_and_no_other_section() {
        let own = "[workspace]\nmembers = []\n\n[profile.dev]\ndebug = false\n\n# Why.\n[profile.dev.package.sha2]\nopt-level = 2\n\n\
             [profile.dev.package.other]\nopt-level = 2\n";
        assert_eq!(
            workspace_manifest(&[package("one", true), package("other", false)], own),
            "[workspace]\nresolver = \"3\"\nmembers = [\"*-[0-9]*\"]\n\n\
             [patch.crates-io]\none = { path = \"one-1.2.3\" }\n\n\
             [profile.dev]\ndebug = false\n\n# Why.\n[profile.dev.package.sha2]\nopt-level = 2\n"
        );
    }

    #[test]
    fn an_unpacked_file_is_newer_than_what_was_compiled_before() {
        let folder = tempfile::tempdir().unwrap();
        let (file, archive, to) =
            (folder.path().join("lib.rs"), folder.path().join("one.crate"), folder.path().join("unpacked"));
        fs::write(&file, "").unwrap();
        // As cargo does it.
        fs::File::options().write(true).open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-c", "-z", "-f"]).arg(&archive).arg("-C").arg(folder.path()).arg("lib.rs");
        assert!(tar.status().unwrap().success());
        fs::create_dir(&to).unwrap();

        extract(&archive, &to).unwrap();
        let age = fs::metadata(to.join("lib.rs")).unwrap().modified().unwrap().elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(3600), "{age:?}");
    }
}
