//! Caches that a test makes of records.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{bkcache, bkcache_with_input, sha256};

/// A folder for caches that a test makes.
pub struct Caches(tempfile::TempDir);

impl Caches {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("layers")).unwrap();
        Self(folder)
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn at(&self, name: &str) -> String {
        self.folder(name).display().to_string()
    }

    /// The descriptor of a layer with this content.
    pub fn layer(&self, content: &str) -> Value {
        layer(&self.folder("layers"), content)
    }

    /// Exports a cache of these records.
    pub fn export(&self, to: &str, records: &[Value]) -> String {
        let to = self.at(to);
        export(&self.folder("layers"), &to, records);
        to
    }

    /// Exports a cache with one record, which has one layer.
    pub fn export_step(&self, to: &str, step: &str) -> String {
        let result = json!({"createdAt": "2026-01-02T03:04:05Z", "layers": [self.layer(step)]});
        self.export(to, &[json!({"digest": step, "results": [result]})])
    }

    /// A run of `RUN build`, which gives other files in each run, and of two steps that copy one of its files each.
    pub fn export_run(&self, run: &str, hour: u32) -> String {
        let result = |names: &[&str]| {
            let layers: Vec<Value> =
                names.iter().map(|name| self.layer(&format!("{name} of {run}"))).collect();
            json!([{"createdAt": format!("2026-01-02T{hour:02}:00:00Z"), "layers": layers}])
        };
        let copy = |selector: &str, content: u32| json!([{"record": 1, "selector": selector}, {"record": content, "selector": ""}]);
        self.export(
            run,
            &[
                json!({"digest": "source"}),
                json!({"digest": "build", "inputs": [[{"record": 0, "selector": ""}]], "results": result(&["build"])}),
                json!({"digest": format!("page of {run}")}),
                json!({"digest": format!("assets of {run}")}),
                json!({"digest": "copy page", "inputs": [copy("/page", 2)], "results": result(&["page"])}),
                json!({
                    "digest": "copy assets",
                    "inputs": [[{"record": 4, "selector": ""}], copy("/assets", 3)],
                    "results": result(&["page", "assets"]),
                }),
            ],
        )
    }
}

/// Stores a layer in a folder of blobs, and gives its descriptor.
pub fn layer(blobs: &Path, content: &str) -> Value {
    let digest = sha256(content.as_bytes());
    fs::write(blobs.join(&digest), content).unwrap();
    json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": content.len(),
        "annotations": {"containerd.io/uncompressed": digest}})
}

/// Exports a cache of these records. The place is a folder with or without a tag.
pub fn export(blobs: &Path, to: &str, records: &[Value]) {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let blobs = blobs.display().to_string();
    let args = ["export", "--quiet", "--records", "-", "--blobs", &blobs, "--to", to];
    bkcache_with_input(args, lines.join("\n").as_bytes()).ok();
}

/// The digests of the records of a cache, sorted.
pub fn records(place: &str) -> Vec<String> {
    let shown = bkcache(["inspect", "--json", place]).ok().json();
    let digest = |record: &Value| record["digest"].as_str().unwrap().to_owned();
    let mut digests: Vec<String> =
        shown["caches"][0]["records"].as_array().unwrap().iter().map(digest).collect();
    digests.sort();
    digests
}
