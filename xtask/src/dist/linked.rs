//! The crates that are linked into the program: their licence texts, and the bill of materials.
//!
//! Both are made from `cargo metadata` and the sources that it names, and are the same for the same lock file. The bill has
//! neither a time nor a random number for that reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::command::{cargo, output};

/// How names of licence files begin.
const LICENSE_FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// The crates of a registry that are linked into the program for one target, by name and version.
pub(crate) struct Linked {
    crates: BTreeMap<(String, String), LinkedCrate>,
}

struct LinkedCrate {
    folder: PathBuf,
    /// The SPDX expression.
    license: String,
}

impl Linked {
    pub(crate) fn of(target: &str) -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]);
        let metadata = output(&mut command)?;
        Self::from_metadata(&serde_json::from_slice(&metadata).context("cargo metadata is not JSON")?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let packages: BTreeMap<&str, &Value> =
            list(metadata, "packages").iter().map(|package| (text(package, "id"), package)).collect();
        let resolve = metadata.get("resolve").context("cargo metadata resolved nothing")?;
        let nodes: BTreeMap<&str, &Value> =
            list(resolve, "nodes").iter().map(|node| (text(node, "id"), node)).collect();
        let program = packages.iter().find(|(_, package)| text(package, "name") == "bkcache");
        let mut pending = vec![*program.context("the workspace has no package bkcache")?.0];
        let mut seen = BTreeSet::new();
        let mut crates = BTreeMap::new();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            let package = packages.get(id).with_context(|| format!("{id} is no package"))?;
            // Those of the workspace have no source; their licence is that of the archive.
            if package.get("source").is_some_and(Value::is_string) {
                let name = (text(package, "name").to_owned(), text(package, "version").to_owned());
                let manifest = Path::new(text(package, "manifest_path"));
                let folder = manifest.parent().unwrap_or(manifest).to_owned();
                crates.insert(name, LinkedCrate { folder, license: text(package, "license").to_owned() });
            }
            let dependencies = nodes.get(id).map_or(&[][..], |node| list(node, "deps"));
            pending.extend(dependencies.iter().filter(|one| is_linked(one)).map(|one| text(one, "pkg")));
        }
        Ok(Self { crates })
    }

    /// Each crate with its texts; one that has none is named with its SPDX expression.
    pub(crate) fn licenses(&self) -> Result<String> {
        let mut all = "The program contains these crates, under these licences.\n".to_owned();
        for ((name, version), one) in &self.crates {
            all.push_str(&format!("\n==== {name} {version}: {}\n", one.license));
            for file in license_files(&one.folder)? {
                let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let shown = file.strip_prefix(&one.folder).unwrap_or(&file).display().to_string();
                all.push_str(&format!("\n---- {shown}\n\n{}\n", String::from_utf8_lossy(&bytes).trim_end()));
            }
        }
        Ok(all)
    }

    /// The crates in the JSON of CycloneDX 1.5.
    pub(crate) fn bill_of_materials(&self) -> Result<Vec<u8>> {
        let components: Vec<Value> = self
            .crates
            .iter()
            .map(|((name, version), one)| {
                let purl = format!("pkg:cargo/{name}@{version}");
                // Old crates write "MIT/Apache-2.0", which is no SPDX expression.
                let license = one.license.replace('/', " OR ");
                json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
                    "licenses": [{"expression": license}]})
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let program = json!({"type": "application", "name": "bkcache", "version": version,
            "purl": format!("pkg:cargo/bkcache@{version}")});
        let bill = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"component": program}, "components": components});
        serde_json::to_vec_pretty(&bill).context("cannot write the bill of materials")
    }
}

/// Whether a dependency is linked into what depends on it: neither run while building nor only for tests.
fn is_linked(dependency: &Value) -> bool {
    list(dependency, "dep_kinds").iter().any(|kind| kind.get("kind").is_some_and(Value::is_null))
}

/// The licence files of a crate, and of sources of others that stand in a folder of it.
fn license_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in listed(folder)? {
        if path.is_dir() {
            found.extend(listed(&path)?.into_iter().filter(|path| is_license(path)));
        } else if is_license(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_license(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    path.is_file() && LICENSE_FILES.iter().any(|start| name.starts_with(start))
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries
        .map(|entry| Ok(entry.with_context(|| format!("cannot list {}", folder.display()))?.path()))
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
