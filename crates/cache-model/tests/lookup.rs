//! Looking up records by digest and by id, and extending chains from a record that was found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::HashSet;

use cache_model::{CacheChains, Link, NewResult, RecordDigest, RecordRef};
use proptest::prelude::*;
use support::{Add, Kind, chains, closed, descriptor, marshal, script, time};

const OVERLAPPING: Kind = Kind { digests: 4, inputs: 2, inputs_by_digest: false, selectors: 3, len: 16 };

fn check(chains: &CacheChains) {
    let graph = chains.graph().unwrap();
    let records: HashSet<RecordRef<'_>> = graph.records().collect();
    assert_eq!(records.len(), graph.len());
    for record in graph.records() {
        assert_eq!(graph.record(record.id()), Some(record));
        let same: Vec<RecordRef<'_>> = graph.records().filter(|r| r.digest() == record.digest()).collect();
        assert_eq!(graph.with_digest(record.digest()).collect::<Vec<_>>(), same);

        // The id is valid in a clone that grows.
        let mut extended = chains.clone();
        let link = Link::new(record.id(), "/new");
        let id = extended.add(&"an unknown digest".into(), &[&[link]], &[]).unwrap().unwrap();
        let extended = extended.graph().unwrap();
        assert_eq!(extended.len(), graph.len() + 1);
        let sources: Vec<_> = extended.record(id).unwrap().inputs().flatten().map(|l| l.source).collect();
        assert_eq!(sources, [extended.record(record.id()).unwrap()]);
        assert_eq!(sources[0].digest(), record.digest());
    }
    assert_eq!(graph.with_digest(&"an unknown digest".into()).count(), 0);
}

proptest! {
    /// Law: a record is found by its digest and by its id, by either rule, and a new record can link to it.
    #[test]
    fn records_are_found_by_digest_and_by_id(script in script(OVERLAPPING)) {
        let chains = chains(&script);
        check(&chains);
        check(&closed(&chains));
    }
}

#[test]
fn an_imported_cache_is_extended_and_exported() {
    let script = [Add::new("base", &[]), Add::new("step", &[&[(0, "")]]).with_result(1, &[1])];
    let exported = marshal(&chains(&script));
    let imported = CacheChains::from_config(&exported.config, exported.layer_descriptors()).unwrap().chains;
    let graph = imported.graph().unwrap();
    let step = graph.with_digest(&"step".into()).next().unwrap();

    let mut extended = imported.clone();
    let below: Vec<_> = step.results().next().unwrap().layers().into_iter().cloned().collect();
    let layers = extended.layers(below.iter().chain([&descriptor(2, 0)])).unwrap();
    let next = RecordDigest::of_output("next", 0);
    let result = NewResult::new(layers, time(2, 0));
    extended.add(&next, &[&[Link::new(step.id(), "")]], &[result]).unwrap();

    let again = marshal(&extended);
    assert_eq!((again.config.records_len(), again.config.layers().len()), (3, 2));
    let again = CacheChains::from_config(&again.config, again.layer_descriptors()).unwrap().chains;
    let graph = again.graph().unwrap();
    let next = graph.with_digest(&next).next().unwrap();
    assert_eq!(next.results().next().unwrap().layers_len(), 2);
    assert_eq!(next.inputs().flatten().map(|link| link.source.digest()).collect::<Vec<_>>(), [step.digest()]);
}

#[test]
fn results_and_layers_are_compared_and_shown() {
    let script = [
        Add::new("a", &[]).with_result(1, &[1, 2]),
        Add::new("b", &[]).with_result(1, &[1, 2]),
        Add::new("c", &[]).with_result(2, &[1]),
    ];
    let chains = chains(&script);
    let graph = chains.graph().unwrap();
    let result = |digest: &str| graph.with_digest(&digest.into()).next().unwrap().results().next().unwrap();
    assert_eq!(result("a"), result("b"));
    assert_ne!(result("a"), result("c"));
    assert_eq!([result("a"), result("b"), result("c")].into_iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(result("a").top().unwrap().parent(), result("c").top());
    let shown = format!("{:?}", result("a"));
    assert!(shown.starts_with(&format!("{} [sha256:", result("a").created_at())), "{shown}");
    assert!(format!("{:?}", result("c").top()).contains("sha256:"));
}
