//! Comparing two caches: records, results and blobs.

use cache_edit::{Diff, EditError, Presence, diff};
use cache_model::{ANNOTATION_DIFF_ID, CacheChains, Descriptor};

use crate::small::{Small, blob, layer, november};

fn rows(diff: &Diff) -> Vec<String> {
    let row = |row: &cache_edit::RecordDiff| {
        format!("{} {} {}", row.digest, row.presence.name(), row.change.name())
    };
    diff.records.iter().map(row).collect()
}

/// A layer with a diff ID.
fn compressed(name: &str, size: u64, content: &str) -> Descriptor {
    layer(name, size).with_annotation(ANNOTATION_DIFF_ID, &blob(content).to_string())
}

fn a() -> CacheChains {
    Small::new()
        .layer(compressed("gzip", 70, "content"))
        .record("base", &[], None)
        .record("changed", &["base"], Some((1, &["one", "a"])))
        .record("dropped", &["base"], Some((1, &["one"])))
        .record("gone", &["base"], Some((1, &["gone"])))
        .record("recompressed", &["base"], Some((2, &["one", "gzip"])))
        .record("same", &["base"], Some((1, &["one"])))
        .chains()
}

fn b() -> CacheChains {
    Small::new()
        .layer(compressed("zstd", 50, "content"))
        .record("base", &[], None)
        .record("added", &["base"], Some((3, &["one"])))
        .record("changed", &["base"], Some((9, &["one", "b"])))
        .record("dropped", &["base"], None)
        .record("new", &[], None)
        .record("recompressed", &["base"], Some((2, &["one", "zstd"])))
        .record("same", &["base"], Some((9, &["one"])))
        .chains()
}

#[test]
fn each_record_is_in_one_or_both_and_its_result_is_the_same_or_not() {
    let found = diff(&a(), &b()).unwrap();
    let expected = [
        "added b only-b",
        "base ab none",
        "changed ab changed",
        "dropped ab only-a",
        "gone a only-a",
        "new b none",
        "recompressed ab recompressed",
        "same ab same",
    ];
    assert_eq!(rows(&found), expected);
    assert!(!found.is_empty());
    let changed = found.records.iter().find(|row| row.digest.to_string() == "changed").unwrap();
    let of = |result: Option<cache_edit::ComparedResult>| result.map(|r| (r.created_at, r.layers, r.bytes));
    assert_eq!([of(changed.a), of(changed.b)], [Some((november(1), 2, 20)), Some((november(9), 2, 20))]);
}

#[test]
fn blobs_are_only_in_one_or_in_both_the_largest_first() {
    let found = diff(&a(), &b()).unwrap();
    let of = |totals: cache_edit::BlobTotals| (totals.blobs, totals.bytes);
    assert_eq!((of(found.only_a), of(found.only_b), of(found.both)), ((3, 90), (2, 60), (1, 10)));
    let blobs: Vec<_> = found
        .blobs
        .iter()
        .map(|blob| (blob.descriptor.annotations.get("name").unwrap(), blob.presence, blob.is_recompressed))
        .collect();
    assert_eq!(blobs[..2], [("gzip", Presence::A, true), ("zstd", Presence::B, true)]);
    let mut rest = blobs[2..].to_vec();
    rest.sort_by_key(|(name, ..)| *name);
    assert_eq!(rest, [("a", Presence::A, false), ("b", Presence::B, false), ("gone", Presence::A, false)]);
}

#[test]
fn a_cache_does_not_differ_from_itself() {
    for cache in [a(), b(), CacheChains::new()] {
        let found = diff(&cache, &cache).unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert!(found.records.iter().all(|row| ["same", "none"].contains(&row.change.name())));
    }
}

#[test]
fn records_that_are_apart_in_each_cache_can_be_one_in_both() {
    // In the second cache the two ways to the step are known as one.
    let steps = |small: Small| small.record("x", &[], None).record("y", &[], None);
    let a = steps(Small::new()).record("step", &["x"], Some((1, &["one"]))).record(
        "step",
        &["y"],
        Some((2, &["two"])),
    );
    let b = steps(Small::new()).record("step", &["x|y"], None);
    let found = diff(&a.chains(), &b.chains()).unwrap();
    assert_eq!(rows(&found), ["step ab only-a", "x ab none", "y ab none"]);
    assert_eq!(found.records[0].a.unwrap().created_at, november(2));
}

#[test]
fn a_blob_with_two_sizes_is_refused() {
    let cache = |size| Small::new().layer(layer("a", size)).record("x", &[], Some((1, &["a"]))).chains();
    let error = diff(&cache(1), &cache(2)).unwrap_err();
    let EditError::SizeConflict { blob: found, sizes: [1, 2], sources: [0, 1], .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(found, blob("a"));
}
