//! The builds with known truth are whole: each cache has as many records as its truth, under the same digests, and the
//! contexts have their modes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::os::unix::fs::PermissionsExt;

use tests::why::WhyCase;

#[test]
fn the_truth_is_about_the_records_of_the_cache() {
    let mut records = 0;
    for case in WhyCase::all() {
        let Some(truth) = case.truth["records"].as_array() else { continue };
        let chains = case.chains();
        let graph = chains.graph().unwrap();
        let mut found: Vec<String> = graph.records().map(|record| record.digest().to_string()).collect();
        let mut expected: Vec<String> =
            truth.iter().map(|record| record["digest"].as_str().unwrap().to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", case.name);
        records += expected.len();
    }
    assert_eq!(records, 707);
}

#[test]
fn a_context_has_its_modes_and_links() {
    let kitchen = WhyCase::load("kitchen");
    let mode =
        |path: &str| kitchen.context().join(path).symlink_metadata().unwrap().permissions().mode() & 0o7777;
    assert!(kitchen.context().join("empty").is_dir());
    assert!(kitchen.context().join("ln").is_symlink());
    assert_eq!(mode("one.txt"), 0o644);
    let names: Vec<String> = kitchen.contexts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["context", "extra"]);
}
