//! BuildKit's own answers, to the byte: graphs put together with `add`, configs parsed and marshalled again, and the
//! canonical form of graphs on which BuildKit does not agree with itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]

use cache_format::{decode_config, encode_config};
use cache_model::{CacheChains, Descriptor, Digest};
use serde_json::Value;
use tests::{Outcome, add_ops, vectors};

/// Checks that chains marshal to what a vector says, by either reading where `closed` is asked for too.
fn check(case: &Value, chains: &CacheChains) {
    let name = case["name"].as_str().unwrap();
    let marshalled = chains.marshal(&|_| true).unwrap();
    let bytes = encode_config(&marshalled.config);
    assert_eq!(String::from_utf8_lossy(&bytes), case["config"].as_str().unwrap(), "{name}");
    assert_eq!(Digest::of(&bytes).to_string(), case["digest"].as_str().unwrap(), "{name}");
    let descriptors = case["descriptors"].as_array().map(Vec::as_slice);
    if let Some(want) = descriptors {
        let got: Vec<Value> =
            marshalled.descriptors.iter().map(|d| serde_json::from_slice(&d.json()).unwrap()).collect();
        assert_eq!(got, want, "{name}");
    }
    assert_eq!(marshalled.layer_descriptors().count(), marshalled.config.layers().len(), "{name}");
    let blobs = marshalled.config.layers().iter().map(|layer| layer.blob.unwrap());
    assert!(marshalled.layer_descriptors().map(|d| d.digest).eq(blobs), "{name}");
}

fn check_ops(file: &str, count: usize) {
    let cases = vectors(file);
    assert_eq!(cases.len(), count);
    for case in &cases {
        let ops = case["ops"].as_array().unwrap();
        let mut chains = CacheChains::new();
        let outcomes = add_ops(&mut chains, ops, 0..ops.len());
        for (op, outcome) in ops.iter().zip(outcomes) {
            let want = op["outcome"].as_str().unwrap();
            match outcome {
                Outcome::Added(_) => assert_eq!(want, "added", "{}", case["name"]),
                Outcome::Skipped => assert_eq!(want, "skipped", "{}", case["name"]),
                Outcome::Error(message) => {
                    assert_eq!(want, "error", "{}", case["name"]);
                    assert!(message.starts_with(op["error"].as_str().unwrap()), "{message}");
                }
            }
        }
        check(case, &chains);
    }
}

#[test]
fn added_records_marshal_to_buildkits_bytes() {
    check_ops("chains.ndjson", 285);
}

#[test]
fn graphs_with_several_orders_marshal_to_the_canonical_one() {
    check_ops("canonical.ndjson", 100);
}

#[test]
fn the_canonical_one_does_not_depend_on_the_order_of_the_adds() {
    for case in vectors("canonical.ndjson") {
        let ops = case["ops"].as_array().unwrap();
        // Sources first, but otherwise from the last to the first.
        let mut order = Vec::new();
        while order.len() < ops.len() {
            let is_ready = |op: &Value| {
                let links = op["inputs"].as_array().into_iter().flatten().flat_map(|i| i.as_array().unwrap());
                links
                    .map(|link| link["record"].as_u64().unwrap() as usize)
                    .all(|source| order.contains(&source))
            };
            let next = (0..ops.len()).rev().find(|n| !order.contains(n) && is_ready(&ops[*n])).unwrap();
            order.push(next);
        }
        let mut chains = CacheChains::new();
        add_ops(&mut chains, ops, order);
        check(&case, &chains);
    }
}

#[test]
fn parsed_configs_marshal_to_buildkits_bytes_or_are_refused_by_both() {
    let cases = vectors("parse.ndjson");
    assert_eq!(cases.len(), 398);
    let mut refused = 0;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let provided: Vec<Descriptor> = case["provided"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|descriptor| {
                let line = serde_json::json!({"digest": "x", "results": [
                    {"createdAt": "2026-01-01T00:00:00Z", "layers": [descriptor]}]});
                let record = cache_format::decode_record_line(line.to_string().as_bytes()).unwrap();
                record.results[0].layers[0].clone()
            })
            .collect();
        let loaded = decode_config(case["input"].as_str().unwrap().as_bytes())
            .map_err(|error| error.to_string())
            .and_then(|config| {
                CacheChains::from_config(&config, &provided).map_err(|error| error.to_string())
            });
        match loaded {
            Err(message) => {
                assert!(case["error"].is_string(), "{name}: BuildKit takes it, we say {message}");
                refused += 1;
            }
            Ok(loaded) => {
                assert!(case["error"].is_null(), "{name}: BuildKit says {}", case["error"]);
                check(case, &loaded.chains);
            }
        }
    }
    assert_eq!(refused, 200);
}
