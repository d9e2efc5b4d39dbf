//! Merging, pruning, repairing and comparing by the answers of a reference program, to the byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_edit::{Coherence, Limits, MergeOptions, Merged, Prefer, Selection, Source, diff, keep, merge};
use cache_format::{decode_config, decode_record_line, encode_config};
use cache_model::{CacheChains, CacheConfig, Descriptor, Digest, Graph};
use serde_json::{Value, json};
use tests::vectors;

/// The chains of a source of a vector.
fn source(source: &Value) -> CacheChains {
    let line = json!({"digest": "x", "results": [
        {"createdAt": "2026-01-01T00:00:00Z", "layers": source["layers"]}]});
    let record = decode_record_line(line.to_string().as_bytes()).unwrap();
    let config = decode_config(source["config"].as_str().unwrap().as_bytes()).unwrap();
    CacheChains::from_config(&config, &record.results[0].layers).unwrap().chains
}

fn sources(case: &Value) -> Vec<CacheChains> {
    case["sources"].as_array().unwrap().iter().map(source).collect()
}

fn options(case: &Value) -> MergeOptions {
    let options = &case["options"];
    let coherence = if options["keep_all"] == json!(true) { Coherence::KeepAll } else { Coherence::Coherent };
    let prefer = match options["prefer"].as_str() {
        Some("first") => Prefer::First,
        None | Some("newest") => Prefer::Newest,
        Some(other) => panic!("{other}"),
    };
    MergeOptions::default().with_coherence(coherence).with_prefer(prefer)
}

fn merged(chains: &[CacheChains], options: MergeOptions) -> Merged {
    let sources: Vec<Source<'_>> = chains.iter().map(Source::new).collect();
    merge(&sources, options).unwrap()
}

/// The config and the descriptors of a graph, as a vector has them.
fn written(graph: &Graph<'_>) -> (String, Vec<Value>) {
    let marshalled = graph.marshal(&|_| true);
    let json = |descriptor: &Descriptor| serde_json::from_slice(&descriptor.json()).unwrap();
    let config = String::from_utf8(encode_config(&marshalled.config)).unwrap();
    (config, marshalled.descriptors.iter().map(json).collect())
}

fn check(case: &Value, graph: &Graph<'_>) {
    let (config, descriptors) = written(graph);
    assert_eq!(config, case["config"].as_str().unwrap(), "{}", case["name"]);
    assert_eq!(Value::from(descriptors), case["descriptors"], "{}", case["name"]);
}

fn cases(op: &str) -> Vec<Value> {
    vectors("edit.ndjson").into_iter().filter(|case| case["op"] == op).collect()
}

#[test]
fn merged_caches_marshal_to_the_bytes_of_the_reference_in_any_order() {
    let cases = cases("merge");
    let mut cut = 0;
    for case in &cases {
        let mut chains = sources(case);
        let merged_once = merged(&chains, options(case));
        check(case, &merged_once.chains.graph().unwrap());
        cut += usize::from(merged_once.report.contested.iter().any(|row| !row.cut.is_empty()));
        if options(case).prefer == Prefer::Newest {
            chains.reverse();
            check(case, &merged(&chains, options(case)).chains.graph().unwrap());
        }
    }
    assert_eq!(cases.len(), 103);
    assert!(cut > 20, "{cut}");
}

#[test]
fn pruned_caches_marshal_to_the_bytes_of_the_reference() {
    let config_size = |config: &CacheConfig| encode_config(config).len() as u64;
    let cases = cases("prune");
    for case in &cases {
        let options = &case["options"];
        let mut limits = Limits::default();
        limits.older_than = options["older_than"].as_str().map(|text| text.parse().unwrap());
        limits.keep_bytes = options["keep_bytes"].as_u64();
        limits.fit = options["fit"].as_u64();
        let chains = merged(&sources(case), MergeOptions::default()).chains;
        let graph = chains.graph().unwrap();
        let selection = Selection::newest(&graph).limited(&limits, &config_size).unwrap();
        check(case, &keep(&selection).unwrap().graph().unwrap());
    }
    assert_eq!(cases.len(), 184);
}

#[test]
fn repaired_caches_marshal_to_the_bytes_of_the_reference() {
    let cases = cases("repair");
    for case in &cases {
        let bad = case["options"]["bad"].as_array().unwrap();
        let bad: Vec<Digest> = bad.iter().map(|digest| digest.as_str().unwrap().parse().unwrap()).collect();
        let chains = merged(&sources(case), MergeOptions::default()).chains;
        let graph = chains.graph().unwrap();
        let complete = Selection::complete(&graph, &|blob| bad.contains(blob));
        check(case, &keep(&complete).unwrap().graph().unwrap());
    }
    assert_eq!(cases.len(), 46);
}

#[test]
fn compared_caches_have_the_rows_of_the_reference() {
    let cases = cases("diff");
    for case in &cases {
        let [a, b] = sources(case).try_into().unwrap();
        let found = diff(&a, &b).unwrap();
        let row = |row: &cache_edit::RecordDiff| json!({"digest": row.digest.to_string(), "in": row.presence.name(), "result": row.change.name()});
        let rows: Vec<Value> = found.records.iter().map(row).collect();
        assert_eq!(Value::from(rows), case["rows"], "{}", case["name"]);
    }
    assert_eq!(cases.len(), 39);
}
