//! Small caches: steps with their inputs, times and layers, exported by the program itself.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::caches::{self, layer};
use crate::support::sha256;

/// 2026-11-28T00:00:00Z, for `SOURCE_DATE_EPOCH`.
pub(crate) const NOW: &str = "1795824000";

/// A step of a build: its name, the positions of the steps that it depends on, the time of its result, and the content of
/// each of its layers, lowest first. A step without layers has no result.
#[derive(Clone, Copy)]
pub(crate) struct Step(
    pub(crate) &'static str,
    pub(crate) &'static [usize],
    pub(crate) &'static str,
    pub(crate) &'static [&'static str],
);

/// An old base that a fresh step was made from, an old tool that nothing was made from, and a step without a result.
/// The base has 4 bytes, the tool 9 bytes of its own.
pub(crate) const BUILD: &[Step] = &[
    Step("source", &[], "", &[]),
    Step("base", &[0], "2026-01-01T00:00:00Z", &["base"]),
    Step("app", &[1], "2026-11-20T00:00:00Z", &["base", "the app"]),
    Step("tool", &[1], "2026-02-01T00:00:00Z", &["base", "old tools"]),
    Step("unused", &[], "", &[]),
];

/// The record digest of a step.
pub(crate) fn record(step: &str) -> String {
    sha256(step.as_bytes())
}

/// The record digests of steps, sorted.
pub(crate) fn sorted(steps: &[&str]) -> Vec<String> {
    let mut records: Vec<String> = steps.iter().map(|step| record(step)).collect();
    records.sort();
    records
}

/// Exports a build. The place is a folder with or without a tag.
pub(crate) fn export(folder: &Path, place: &str, steps: &[Step]) {
    let blobs = folder.join("blobs-of-builds");
    std::fs::create_dir_all(&blobs).unwrap();
    let records = steps.iter().map(|Step(name, inputs, created_at, layers)| {
        let layers: Vec<Value> = layers.iter().map(|content| layer(&blobs, content)).collect();
        let inputs: Vec<Value> = inputs.iter().map(|source| json!([{"record": source}])).collect();
        let results = match layers.is_empty() {
            true => json!([]),
            false => json!([{"createdAt": created_at, "layers": layers}]),
        };
        json!({"digest": record(name), "inputs": inputs, "results": results})
    });
    caches::export(&blobs, place, &records.collect::<Vec<_>>());
}
