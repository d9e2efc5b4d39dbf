//! Merging by the answers of a reference program, to the byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_edit::{Coherence, MergeOptions, Merged, Prefer, Source, merge};
use cache_format::{decode_config, decode_record_line, encode_config};
use cache_model::{CacheChains, Descriptor, Graph};
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
