//! The reference gives every answer of `vectors/edit.ndjson`, and reads the configs of `vectors/parse.ndjson` as BuildKit does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use reference::{
    Cache, Limits, MergeOptions, complete, diff, instant, keep, limited, marshal, merge, newest,
};
use serde_json::{Value, json};

/// The JSON text of a descriptor, with its members in the order of the specification.
fn descriptor(value: &Value) -> String {
    let annotations = value.get("annotations").map(|map| format!(r#","annotations":{map}"#));
    let (media_type, digest, size) = (&value["mediaType"], &value["digest"], &value["size"]);
    let annotations = annotations.unwrap_or_default();
    format!(r#"{{"mediaType":{media_type},"digest":{digest},"size":{size}{annotations}}}"#)
}

fn texts(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(descriptor).collect()
}

#[test]
fn every_vector_gives_its_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/edit.ndjson");
    let file = std::fs::read_to_string(path).unwrap();
    assert_eq!(file.lines().count(), 372);
    for line in file.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (name, options) = (case["name"].as_str().unwrap(), &case["options"]);
        let sources: Vec<Cache> = case["sources"].as_array().unwrap().iter().map(source).collect();
        if case["op"] == "diff" {
            let rows = diff(&sources[0], &sources[1]).unwrap().into_iter();
            let rows: Value =
                rows.map(|row| json!({"digest": row.digest, "in": row.of, "result": row.result})).collect();
            assert_eq!(rows, case["rows"], "{name}");
            continue;
        }
        let merge_options = MergeOptions {
            keep_all: options["keep_all"].as_bool().unwrap_or(false),
            prefer_first: options["prefer"] == "first",
        };
        let merged = merge(&sources, merge_options).unwrap();
        let limits = Limits {
            older_than: options["older_than"].as_str().map(|text| instant(text).unwrap()),
            keep_bytes: options["keep_bytes"].as_u64(),
            fit: options["fit"].as_u64().map(|bytes| usize::try_from(bytes).unwrap()),
        };
        let bad = options["bad"].as_array().into_iter().flatten();
        let bad: Vec<String> = bad.map(|blob| blob.as_str().unwrap().to_owned()).collect();
        let written = match case["op"].as_str().unwrap() {
            "merge" => merged.export(),
            "prune" => marshal(keep(&merged, &limited(&merged, newest(&merged), &limits)), &[]),
            "repair" => marshal(keep(&merged, &complete(&merged, &bad)), &[]),
            other => panic!("{name}: {other}"),
        };
        assert_eq!(written.config, case["config"].as_str().unwrap(), "{name}");
        assert_eq!(written.descriptors, texts(&case["descriptors"]), "{name}");
    }
}

fn source(value: &Value) -> Cache {
    Cache::read(value["config"].as_str().unwrap(), &texts(&value["layers"])).unwrap()
}

#[test]
fn configs_are_read_as_buildkit_reads_them_or_refused_by_both() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/parse.ndjson");
    let file = std::fs::read_to_string(path).unwrap();
    let mut read = 0;
    for line in file.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let provided = if case["provided"].is_null() { Vec::new() } else { texts(&case["provided"]) };
        let config = Cache::read(case["input"].as_str().unwrap(), &provided)
            .map(|cache| marshal(cache.records(), &[]).config);
        assert_eq!(config.as_deref(), case["config"].as_str(), "{}", case["name"]);
        read += usize::from(config.is_some());
    }
    assert_eq!((read, file.lines().count()), (198, 398));
}
