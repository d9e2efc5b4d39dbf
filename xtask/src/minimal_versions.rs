//! `cargo xtask minimal-versions`: whether the oldest versions that the manifests allow compile.
//!
//! Two builds in copies of the workspace: one with the oldest version of each direct dependency, one with the
//! dependencies of the lock file and the declared version of Rust. The workspace and its lock file stay as they are.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, output, root, step};

/// Folders of tracked files that no build reads.
const SKIPPED: [&str; 3] = ["tests/fixtures/", "tests/vectors/", "fuzz/corpus/"];

/// Whether both builds succeed.
pub(crate) fn check() -> Result<bool> {
    let folder = root().join("target/minimal-versions");
    let workspace = folder.join("workspace");
    let build = folder.join("target");

    copy(&workspace)?;
    // The option is for nightly toolchains; the variable lets a stable one take it.
    let mut update = cargo();
    update.current_dir(&workspace).env("RUSTC_BOOTSTRAP", "1");
    let mut check = cargo();
    check.current_dir(&workspace).env("CARGO_TARGET_DIR", &build).args(["check", "--quiet", "--workspace"]);
    let mut good =
        step(update.args(["update", "--quiet", "-Z", "direct-minimal-versions"]))? && step(&mut check)?;

    copy(&workspace)?;
    let version = rust_version(&fs::read_to_string(root().join("Cargo.toml"))?)?;
    // By rustup, as the cargo of this toolchain would run its own compiler.
    let mut oldest = Command::new("rustup");
    oldest
        .current_dir(&workspace)
        .env("CARGO_TARGET_DIR", build)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    oldest.args(["run", "--install", &version, "cargo", "check", "--quiet", "--workspace", "--locked"]);
    good &= step(&mut oldest)?;
    Ok(good)
}

/// Makes a folder anew with a copy of the tracked files.
fn copy(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let listed = output(Command::new("git").current_dir(root()).args(["ls-files", "-z"]))?;
    let names = String::from_utf8(listed).context("a tracked file has a name that is not UTF-8")?;
    for name in
        names.split_terminator('\0').filter(|name| !SKIPPED.iter().any(|skipped| name.starts_with(skipped)))
    {
        let (from, to) = (root().join(name), folder.join(name));
        fs::create_dir_all(to.parent().unwrap_or(folder))
            .and_then(|()| fs::copy(&from, &to))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(())
}

/// The version of Rust that the manifest of the workspace declares.
fn rust_version(manifest: &str) -> Result<String> {
    let value = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    Ok(value.context("Cargo.toml declares no rust-version")?.trim_matches('"').to_owned())
}
