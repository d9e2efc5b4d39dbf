//! Repairing: results with bad blobs go, with what only stood on them.

use cache_edit::{RepairReport, Selection, keep};
use cache_model::{CacheChains, Digest};

use crate::small::{Small, blob, names, november, shown};

fn cache() -> CacheChains {
    Small::new()
        .record("source", &[], None)
        .record("x", &["source"], Some((5, &["base", "new"])))
        .record("x", &["source"], Some((3, &["base", "old"])))
        .record("y", &["x"], Some((6, &["base", "new", "y"])))
        .record("leaf", &["y"], Some((7, &["base", "new", "y", "leaf"])))
        .chains()
}

#[test]
fn a_record_gives_its_newest_result_without_bad_blobs_and_records_without_any_go() {
    let chains = cache();
    let graph = chains.graph().unwrap();
    let repaired = |bad: &[&str]| {
        let bad: Vec<Digest> = bad.iter().map(|name| blob(name)).collect();
        shown(&keep(&Selection::complete(&graph, &|blob| bad.contains(blob))).unwrap())
    };
    assert_eq!(repaired(&[]).len(), 4);
    assert_eq!(repaired(&["old"]), repaired(&[]));
    assert_eq!(repaired(&["new"]), ["source <>", "x <source> base old"]);
    assert_eq!(repaired(&["y"]), ["source <>", "x <source> base new"]);
    assert_eq!(repaired(&["base"]), [""; 0]);
    // A record without a complete result stays where a complete one stands on it.
    let chains =
        Small::new().record("a", &[], Some((1, &["a"]))).record("b", &["a"], Some((2, &["b"]))).chains();
    let graph = chains.graph().unwrap();
    let kept = keep(&Selection::complete(&graph, &|digest| *digest == blob("a"))).unwrap();
    assert_eq!(shown(&kept), ["a <>", "b <a> b"]);
}

#[test]
fn each_blob_is_asked_for_once() {
    let chains = cache();
    let asked = std::cell::RefCell::new(Vec::new());
    let ask = |blob: &Digest| {
        asked.borrow_mut().push(*blob);
        false
    };
    let graph = chains.graph().unwrap();
    keep(&Selection::complete(&graph, &ask)).unwrap();
    let mut asked = asked.into_inner();
    asked.sort();
    let mut expected = ["base", "new", "old", "y", "leaf"].map(blob);
    expected.sort();
    assert_eq!(asked, expected);
}

#[test]
fn a_report_says_which_blob_broke_a_result_what_replaced_it_and_what_fell() {
    let chains = cache();
    let graph = chains.graph().unwrap();
    let is_bad = |digest: &Digest| [blob("new"), blob("leaf")].contains(digest);
    let report = RepairReport::of(&Selection::complete(&graph, &is_bad), &is_bad);
    let broken: Vec<_> =
        report.broken.iter().map(|b| (b.record.to_string(), b.created_at, b.blob, b.replaced_by)).collect();
    let row = |record: &str, day, replaced: Option<u8>| {
        (record.to_owned(), november(day), blob("new"), replaced.map(november))
    };
    assert_eq!(broken, [row("leaf", 7, None), row("x", 5, Some(3)), row("y", 6, None)]);
    assert_eq!(names(&report.fallen), ["leaf", "y"]);
    assert_eq!((report.before.records, report.before.results, report.before.blobs), (4, 3, 4));
    assert_eq!((report.after.records, report.after.results, report.after.blobs), (2, 1, 2));
}
