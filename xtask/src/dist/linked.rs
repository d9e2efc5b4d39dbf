//! The crates that are linked into the program: their licence texts, and the bill of materials.
//!
//! Both are made from the lists of cargo and the sources that they name, and are the same for the same lock file. The bill
//! has neither a time nor a random number for that reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::command::{cargo, output};

/// How names of licence files begin.
const LICENSE_FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
/// What stands above the list of crates: what else is linked.
const LICENSES_INTRODUCTION: &str = "\
The program contains the standard library of Rust (MIT OR Apache-2.0), on Linux with musl also the
C library musl (MIT, Copyright 2005-2020 Rich Felker, et al.), and the crates of this list. Below
the list is the text of each licence file of the crates, once for all files that are the same.

";

/// The crates that are linked into the program for one target, by name and version.
pub(crate) struct Linked {
    crates: BTreeMap<(String, String), LinkedCrate>,
}

struct LinkedCrate {
    folder: PathBuf,
    /// The SPDX expression.
    license: String,
    /// It is of this workspace; its licence is that of the archive.
    is_own: bool,
}

impl Linked {
    pub(crate) fn of(target: &str) -> Result<Self> {
        // `cargo metadata` unites the features that all packages of the workspace ask for, so it would add crates that only
        // tests use.
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--package", "bkcache", "--target", target]);
        tree.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
        let tree = String::from_utf8(output(&mut tree)?).context("cargo tree wrote no UTF-8")?;
        let mut metadata = cargo();
        metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]);
        let metadata = output(&mut metadata)?;
        Self::from_tree(&tree, &serde_json::from_slice(&metadata).context("cargo metadata wrote no JSON")?)
    }

    /// The crates among the lines of `cargo tree`, each `NAME vVERSION`.
    fn from_tree(tree: &str, metadata: &Value) -> Result<Self> {
        let packages: BTreeMap<(&str, &str), &Value> = list(metadata, "packages")
            .iter()
            .map(|package| ((text(package, "name"), text(package, "version")), package))
            .collect();
        let mut crates = BTreeMap::new();
        for line in tree.lines() {
            let (name, version) = line.split_once(" v").with_context(|| format!("{line:?} is no crate"))?;
            let version = version.split(' ').next().unwrap_or(version);
            let package =
                packages.get(&(name, version)).with_context(|| format!("{line:?} is no package"))?;
            let manifest = Path::new(text(package, "manifest_path"));
            let folder = manifest.parent().unwrap_or(manifest).to_owned();
            // Old crates write "MIT/Apache-2.0", which is no SPDX expression.
            let license = text(package, "license").replace(" / ", "/").replace('/', " OR ");
            // Only crates of a registry have a source.
            let is_own = !package.get("source").is_some_and(Value::is_string);
            crates.insert((name.to_owned(), version.to_owned()), LinkedCrate { folder, license, is_own });
        }
        Ok(Self { crates })
    }

    /// The crates of others with their licences, then each text once, below the files that hold it.
    pub(crate) fn licenses(&self) -> Result<String> {
        let mut all = LICENSES_INTRODUCTION.to_owned();
        let mut texts: Vec<(String, Vec<String>)> = Vec::new();
        for ((name, version), one) in self.crates.iter().filter(|(_, one)| !one.is_own) {
            all.push_str(&format!("{name} {version}: {}\n", one.license));
            for file in license_files(&one.folder)? {
                let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                let shown = file.strip_prefix(&one.folder).unwrap_or(&file).display().to_string();
                let heading = format!("==== {name} {version}: {shown}\n");
                match texts.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, headings)) => headings.push(heading),
                    None => texts.push((text, vec![heading])),
                }
            }
        }
        for (text, headings) in texts {
            all.push_str(&format!("\n{}\n{text}\n", headings.concat()));
        }
        Ok(all)
    }

    /// All crates in the JSON of CycloneDX 1.5; the program is the subject of the bill, and no part of it.
    pub(crate) fn bill_of_materials(&self) -> Result<Vec<u8>> {
        let components: Vec<Value> = self
            .crates
            .iter()
            .filter(|((name, _), _)| name != "bkcache")
            .map(|((name, version), one)| {
                let purl = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
                json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
                    "licenses": [{"expression": one.license}]})
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let program = json!({"type": "application", "name": "bkcache", "version": version,
            "purl": format!("pkg:cargo/bkcache@{version}"),
            "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}]});
        let bill = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"component": program}, "components": components});
        serde_json::to_vec_pretty(&bill).context("cannot write the bill of materials")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Three crates in folders of their own, of which the tree has two, and two of the workspace: a library and the program.
    fn linked(sources: &Path) -> Linked {
        let package = |name: &str, license: &str, source: Value| {
            let folder = sources.join(name);
            fs::create_dir_all(folder.join("deep")).unwrap();
            json!({"name": name, "version": "1.0.0+c", "license": license, "source": source,
                "manifest_path": folder.join("Cargo.toml")})
        };
        let packages = [
            package("b", "MIT / Apache-2.0", json!("registry")),
            package("a", "MIT", json!("registry")),
            package("for-tests", "GPL-3.0", json!("registry")),
            package("own", "MIT", Value::Null),
            package("bkcache", "MIT", Value::Null),
        ];
        fs::write(sources.join("own/LICENSE"), "The licence of the archive.\n").unwrap();
        fs::write(sources.join("a/LICENSE"), "Permission is granted.\n").unwrap();
        fs::write(sources.join("b/LICENSE-MIT"), "Permission is granted.\n\n").unwrap();
        fs::write(sources.join("b/deep/COPYING"), "Of a part.\n").unwrap();
        fs::write(sources.join("b/README"), "No licence.\n").unwrap();
        let tree = "bkcache v1.0.0+c (/checkout/bkcache)\nown v1.0.0+c (/checkout/own)\nb v1.0.0+c\na v1.0.0+c\nb v1.0.0+c (*)\n";
        Linked::from_tree(tree, &json!({ "packages": packages })).unwrap()
    }

    #[test]
    fn each_licence_text_stands_once_below_the_files_that_hold_it() {
        let sources = tempfile::tempdir().unwrap();
        let texts = linked(sources.path()).licenses().unwrap();
        let list = "a 1.0.0+c: MIT\nb 1.0.0+c: MIT OR Apache-2.0\n";
        let granted = "\n==== a 1.0.0+c: LICENSE\n==== b 1.0.0+c: LICENSE-MIT\n\nPermission is granted.\n";
        let part = "\n==== b 1.0.0+c: deep/COPYING\n\nOf a part.\n";
        assert_eq!(texts, format!("{LICENSES_INTRODUCTION}{list}{granted}{part}"));
    }

    #[test]
    fn the_bill_has_all_crates_that_are_linked_and_no_others() {
        let sources = tempfile::tempdir().unwrap();
        let bill = linked(sources.path()).bill_of_materials().unwrap();
        let bill: Value = serde_json::from_slice(&bill).unwrap();
        let components: Vec<String> = list(&bill, "components")
            .iter()
            .map(|one| format!("{} {}", text(one, "purl"), one["licenses"][0]["expression"]))
            .collect();
        let expected = [
            "pkg:cargo/a@1.0.0%2Bc \"MIT\"",
            "pkg:cargo/b@1.0.0%2Bc \"MIT OR Apache-2.0\"",
            "pkg:cargo/own@1.0.0%2Bc \"MIT\"",
        ];
        assert_eq!(components, expected);
    }
}
