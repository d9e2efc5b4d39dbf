//! The workspace as cargo describes it: its packages and what they depend on.
//!
//! Reads manifests through `cargo metadata`; it never resolves versions, so it needs no network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, output};

/// The packages of the workspace.
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
}

/// One package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The folder of its manifest.
    pub(crate) folder: PathBuf,
    /// The root files of its crates: libraries, programs, tests, benches, examples.
    pub(crate) roots: Vec<PathBuf>,
    /// Whether it has a library.
    pub(crate) is_library: bool,
    /// Whether it is published to a registry.
    pub(crate) published: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a package's dependency tables.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether the entry gives a version; without one a dev-dependency is left out when the package is published.
    pub(crate) versioned: bool,
}

/// The table that an entry is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Reads the manifests of the workspace in a folder.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let mut command = cargo();
        command.current_dir(folder).args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value =
            serde_json::from_slice(&output(&mut command)?).context("cargo metadata is not JSON")?;
        let packages = list(&metadata, "packages").iter().map(package).collect();
        Ok(Self { packages, target: text(&metadata, "target_directory").into() })
    }
}

fn package(value: &Value) -> Package {
    Package {
        name: text(value, "name"),
        version: text(value, "version"),
        folder: Path::new(&text(value, "manifest_path")).parent().map(Path::to_owned).unwrap_or_default(),
        roots: list(value, "targets").iter().map(|target| text(target, "src_path").into()).collect(),
        is_library: list(value, "targets").iter().any(|target| list(target, "kind").contains(&"lib".into())),
        published: value.get("publish").is_none_or(Value::is_null),
        dependencies: list(value, "dependencies").iter().map(dependency).collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(value, "name"),
        kind: match value.get("kind").and_then(Value::as_str) {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        versioned: text(value, "req") != "*",
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
