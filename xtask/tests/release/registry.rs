//! A registry of crates in memory: a sparse index, and the part of the web API that `cargo publish` uses.
//!
//! It takes what cargo sends, as crates.io does, and refuses a version that it has. It gives out no packages: a release
//! never asks for one.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use test_registries::{Answer, Request, Service, sha256};

/// What `cargo publish` has to send in its header.
pub(crate) const TOKEN: &str = "let-me-in";

/// The registry. A crate is known by `name version`.
#[derive(Debug, Default)]
pub(crate) struct CrateRegistry {
    entries: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    /// The line of the index.
    line: Value,
}

impl CrateRegistry {
    /// The published crates with their checksums.
    pub(crate) fn checksums(&self) -> BTreeMap<String, String> {
        let entries = self.entries.lock().unwrap();
        entries.iter().map(|(id, entry)| (id.clone(), text(&entry.line, "cksum"))).collect()
    }

    /// The published crates, as `name version`.
    pub(crate) fn crates(&self) -> Vec<String> {
        self.entries.lock().unwrap().keys().cloned().collect()
    }

    /// Publishes a crate without dependencies.
    pub(crate) fn plant(&self, name: &str, version: &str, bytes: &[u8]) {
        let metadata = json!({"name": name, "vers": version, "deps": [], "features": {}});
        self.insert(&metadata, bytes);
    }

    /// Forgets a crate.
    pub(crate) fn remove(&self, id: &str) {
        self.entries.lock().unwrap().remove(id).unwrap();
    }

    fn index(&self, name: &str) -> Answer {
        let entries = self.entries.lock().unwrap();
        let lines = entries.values().filter(|entry| entry.name == name);
        let text: String = lines.map(|entry| format!("{}\n", entry.line)).collect();
        if text.is_empty() { Answer::new(404) } else { Answer::new(200).body(text) }
    }

    /// Takes the body of a request to publish: the length and text of the metadata, the length and bytes of the package.
    fn publish(&self, request: &Request) -> Answer {
        if request.header("Authorization") != Some(TOKEN) {
            return refusal(403, "the token is wrong");
        }
        let (metadata, rest) = part(&request.body);
        let (package, rest) = part(rest);
        assert!(rest.is_empty());
        let metadata: Value = serde_json::from_slice(metadata).unwrap();
        if !self.insert(&metadata, package) {
            return refusal(400, "the version exists already");
        }
        Answer::new(200)
            .json(&json!({"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}}))
    }

    fn insert(&self, metadata: &Value, package: &[u8]) -> bool {
        let name = text(metadata, "name");
        let id = format!("{name} {}", text(metadata, "vers"));
        let dependencies: Vec<Value> =
            metadata["deps"].as_array().unwrap().iter().map(index_dependency).collect();
        let line = json!({
            "name": name,
            "vers": metadata["vers"],
            "deps": dependencies,
            "features": metadata["features"],
            "cksum": sha256(package).strip_prefix("sha256:"),
            "yanked": false,
        });
        let mut entries = self.entries.lock().unwrap();
        let is_new = !entries.contains_key(&id);
        if is_new {
            entries.insert(id, Entry { name, line });
        }
        is_new
    }
}

impl Service for CrateRegistry {
    fn answer(&self, request: &Request, base: &str) -> Answer {
        match (request.method.as_str(), request.path()) {
            ("PUT", "/api/v1/crates/new") => self.publish(request),
            ("GET", "/index/config.json") => {
                Answer::new(200).json(&json!({"dl": format!("{base}/packages"), "api": base}))
            }
            ("GET", path) if path.starts_with("/index/") => self.index(path.rsplit('/').next().unwrap()),
            _ => Answer::new(404),
        }
    }
}

/// A refusal in the words of the web API.
pub(crate) fn refusal(status: u16, detail: &str) -> Answer {
    Answer::new(status).json(&json!({"errors": [{"detail": detail}]}))
}

/// Splits off a part that has its length in front.
fn part(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
    rest.split_at(usize::try_from(u32::from_le_bytes(*length)).unwrap())
}

/// A dependency as the index has it; the web API calls its requirement otherwise.
fn index_dependency(sent: &Value) -> Value {
    assert!(sent["explicit_name_in_toml"].is_null(), "no crate here renames a dependency");
    let mut dependency = sent.clone();
    let requirement = dependency.as_object_mut().unwrap().remove("version_req").unwrap();
    dependency["req"] = requirement;
    dependency
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
