//! Shared by the cross-crate tests: reads the fixtures, which are real caches, and the vectors, which are BuildKit's own
//! results. Both are files of this repository.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

pub mod forms;
// The truth of these builds has permissions and symbolic links.
#[cfg(unix)]
pub mod why;
#[cfg(unix)]
pub mod why_inputs;

use std::path::PathBuf;

use cache_format::decode_record_line;
use cache_model::{CacheChains, Digest, Link, NewResult, RecordId};
use serde_json::Value;

/// The folder of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The names of all fixtures, inline caches too, sorted.
pub fn fixtures() -> Vec<String> {
    let folder = std::fs::read_dir(fixture("")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("oci-layout").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 19, "the fixtures are all there");
    names
}

/// The names of the fixtures that are caches by themselves, not inside an image.
pub fn standalone_fixtures() -> Vec<String> {
    fixtures().into_iter().filter(|name| !name.starts_with("inline-")).collect()
}

/// A file of a fixture's `blobs` folder.
pub fn blob(name: &str, digest: &Digest) -> Vec<u8> {
    std::fs::read(fixture(name).join("blobs").join(digest.algorithm().name()).join(digest.hex())).unwrap()
}

/// The digest and bytes of the manifest that the only tag of a fixture names.
pub fn manifest(name: &str) -> (Digest, Vec<u8>) {
    let index: Value =
        serde_json::from_slice(&std::fs::read(fixture(name).join("index.json")).unwrap()).unwrap();
    let digest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
    (digest, blob(name, &digest))
}

/// The cases of a file of vectors, one a line.
pub fn vectors(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The outcome of one operation of a vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A record was added.
    Added(RecordId),
    /// Its digest is `random:`.
    Skipped,
    /// It was refused, with this message.
    Error(String),
}

/// Adds the operations of a vector to chains, in the order of the given positions.
pub fn add_ops(
    chains: &mut CacheChains,
    ops: &[Value],
    order: impl IntoIterator<Item = usize>,
) -> Vec<Outcome> {
    let mut outcomes = vec![None; ops.len()];
    for position in order {
        outcomes[position] = Some(add_op(chains, &ops[position], &outcomes));
    }
    outcomes.into_iter().map(Option::unwrap).collect()
}

fn add_op(chains: &mut CacheChains, op: &Value, before: &[Option<Outcome>]) -> Outcome {
    let line = decode_record_line(op.to_string().as_bytes()).unwrap();
    if line.digest.is_random() {
        return Outcome::Skipped;
    }
    let mut inputs = Vec::new();
    for links in &line.inputs {
        let mut resolved = Vec::new();
        for link in links {
            match &before[link.record] {
                Some(Outcome::Added(source)) => {
                    resolved.push(Link { source: *source, selector: &link.selector });
                }
                _ => return Outcome::Error("a source was not added".to_owned()),
            }
        }
        inputs.push(resolved);
    }
    let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
    let mut results = Vec::new();
    for result in &line.results {
        let layer = chains.layers(&result.layers).unwrap();
        results.push(NewResult { created_at: result.created_at, layer });
    }
    match chains.add(&line.digest, &inputs, &results) {
        Ok(Some(record)) => Outcome::Added(record),
        Ok(None) => Outcome::Skipped,
        Err(error) => Outcome::Error(error.to_string()),
    }
}
