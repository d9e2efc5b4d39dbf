//! Keeping a part of a cache: the order of keeping, each limit, and the report.

use cache_edit::{ANNOTATION_USED, EditError, KeepReason, Limits, PruneReport, Selection, keep};
use cache_model::{CacheChains, Totals};

use crate::small::{Small, config_size, layer, names, november, shown};

/// The records that are left, with their layers.
fn pruned(chains: &CacheChains, limits: &Limits) -> Vec<String> {
    let graph = chains.graph().unwrap();
    let selection = Selection::newest(&graph).limited(limits, &config_size).unwrap();
    shown(&keep(&selection).unwrap())
}

fn older_than(day: u8) -> Limits {
    Limits::default().with_older_than(november(day))
}

fn keep_bytes(bytes: u64) -> Limits {
    Limits::default().with_keep_bytes(bytes)
}

#[test]
fn without_limits_only_records_that_lead_to_no_result_go() {
    let chains = Small::new()
        .record("source", &[], None)
        .record("build", &["source"], Some((1, &["a"])))
        .record("run", &["build"], None)
        .record("unused", &[], None)
        .chains();
    assert_eq!(pruned(&chains, &Limits::default()), ["build <source> a", "source <>"]);
}

#[test]
fn each_record_keeps_its_newest_result_with_layers() {
    let chains = Small::new()
        .record("x", &[], Some((2, &["old"])))
        .record("x", &[], Some((4, &["newest"])))
        .record("x", &[], Some((5, &[])))
        .record("empty", &[], Some((9, &[])))
        .chains();
    assert_eq!(pruned(&chains, &Limits::default()), ["x <> newest"]);
}

#[test]
fn a_record_is_as_fresh_as_what_was_made_from_it() {
    let chains = Small::new()
        .record("base", &[], Some((1, &["base"])))
        .record("step", &["base"], Some((20, &["base", "step"])))
        .record("other", &["base"], Some((2, &["base", "other"])))
        .record("alone", &[], Some((9, &["alone"])))
        .chains();
    assert_eq!(pruned(&chains, &older_than(10)), ["base <> base", "step <base> base step"]);
    // The instant itself is not older.
    assert_eq!(pruned(&chains, &older_than(20)), ["base <> base", "step <base> base step"]);
    assert_eq!(pruned(&chains, &older_than(9)).len(), 3);
    assert_eq!(pruned(&chains, &older_than(21)), [""; 0]);
}

#[test]
fn a_record_without_a_result_passes_freshness_on() {
    let chains = Small::new()
        .record("base", &[], Some((1, &["base"])))
        .record("between", &["base"], None)
        .record("step", &["between"], Some((20, &["step"])))
        .chains();
    assert_eq!(pruned(&chains, &older_than(20)).len(), 3);
}

#[test]
fn a_mark_of_the_topmost_layer_is_fresh_until_the_end_of_its_day() {
    let marked = |name: &str, day: &str| layer(name, 10).with_annotation(ANNOTATION_USED, day);
    let chains = Small::new()
        .layer(marked("used", "2026-11-20"))
        .layer(marked("wrong", "2026-11-99"))
        .record("used", &[], Some((1, &["low", "used"])))
        .record("below", &[], Some((1, &["used", "top"])))
        .record("wrong", &[], Some((1, &["wrong"])))
        .chains();
    let last = "2026-11-20T23:59:59.999999999Z".parse().unwrap();
    assert_eq!(pruned(&chains, &Limits::default().with_older_than(last)), ["used <> low used"]);
    assert_eq!(pruned(&chains, &older_than(21)), [""; 0]);
}

#[test]
fn a_mark_before_the_result_was_made_changes_nothing() {
    let chains = Small::new()
        .layer(layer("a", 10).with_annotation(ANNOTATION_USED, "2026-11-01"))
        .record("x", &[], Some((20, &["a"])))
        .chains();
    assert_eq!(pruned(&chains, &older_than(20)), ["x <> a"]);
}

#[test]
fn within_one_build_the_lowest_records_are_kept_first() {
    let chains = Small::new()
        .record("base", &[], Some((3, &["base"])))
        .record("step", &["base"], Some((2, &["base", "step"])))
        .record("last", &["step"], Some((20, &["base", "step", "last"])))
        .chains();
    assert_eq!(pruned(&chains, &keep_bytes(10)), ["base <> base"]);
    assert_eq!(pruned(&chains, &keep_bytes(29)), ["base <> base", "step <base> base step"]);
    assert_eq!(pruned(&chains, &keep_bytes(30)).len(), 3);
    assert_eq!(pruned(&chains, &keep_bytes(0)), [""; 0]);
}

#[test]
fn of_equally_fresh_and_low_records_the_oldest_result_is_kept_first_then_the_first_of_the_config() {
    let chains = Small::new()
        .record("a", &[], Some((5, &["a"])))
        .record("c", &[], Some((4, &["c"])))
        .record("b", &[], Some((4, &["b"])))
        .record("last", &["a", "b", "c"], Some((20, &["last"])))
        .chains();
    assert_eq!(pruned(&chains, &keep_bytes(10)), ["b <> b"]);
    assert_eq!(pruned(&chains, &keep_bytes(20)), ["b <> b", "c <> c"]);
}

#[test]
fn sizes_that_exceed_64_bits_together_do_not_fit() {
    const HUGE: u64 = 1 << 63;
    let chains = Small::new()
        .layer(layer("a", HUGE))
        .layer(layer("b", HUGE))
        .record("x", &[], Some((1, &["a", "b"])))
        .chains();
    assert_eq!(pruned(&chains, &keep_bytes(u64::MAX)), [""; 0]);
    let graph = chains.graph().unwrap();
    let all = Selection::newest(&graph);
    let limits = keep_bytes(1);
    let none = all.clone().limited(&limits, &config_size).unwrap();
    assert_eq!(PruneReport::of(&all, &none, &limits).dropped[0].bytes, u64::MAX);
}

#[test]
fn a_fresher_build_is_kept_before_the_base_of_an_older_one() {
    let chains = Small::new()
        .record("old base", &[], Some((19, &["old"])))
        .record("base", &[], Some((1, &["base"])))
        .record("step", &["base"], Some((20, &["base", "step"])))
        .chains();
    assert_eq!(pruned(&chains, &keep_bytes(20)), ["base <> base", "step <base> base step"]);
}

#[test]
fn a_result_that_does_not_fit_is_passed_over_and_shared_blobs_count_once() {
    let chains = Small::new()
        .layer(layer("large", 100))
        .record("a", &[], Some((9, &["shared"])))
        .record("b", &[], Some((8, &["shared", "large"])))
        .record("c", &[], Some((7, &["shared", "small"])))
        .record("d", &[], Some((6, &["small", "shared", "small"])))
        .chains();
    let kept = ["a <> shared", "c <> shared small", "d <> small shared small"];
    assert_eq!(pruned(&chains, &keep_bytes(20)), kept);
    assert_eq!(pruned(&chains, &keep_bytes(109)), kept);
    assert_eq!(pruned(&chains, &keep_bytes(119)), ["a <> shared", "b <> shared large"]);
    assert_eq!(pruned(&chains, &keep_bytes(120)).len(), 4);
}

#[test]
fn the_longest_beginning_fits_and_an_empty_config_fits_into_two_bytes() {
    let chains = Small::new()
        .record("a", &[], Some((9, &["a"])))
        .record("b", &[], Some((8, &["b"])))
        .record("c", &[], Some((7, &["c"])))
        .chains();
    let one_record = 2 + 10 + 5 + 7;
    let fit = |bytes| pruned(&chains, &Limits::default().with_fit(bytes));
    assert_eq!(fit(one_record), ["a <> a"]);
    assert_eq!(fit(one_record - 1), [""; 0]);
    assert_eq!(fit(2 * one_record), ["a <> a", "b <> b"]);
    assert_eq!(fit(1000).len(), 3);
    assert_eq!(fit(2), [""; 0]);
}

#[test]
fn less_than_an_empty_config_is_refused() {
    let chains = Small::new().chains();
    let graph = chains.graph().unwrap();
    let error = Selection::newest(&graph).limited(&Limits::default().with_fit(1), &config_size).unwrap_err();
    assert!(matches!(error, EditError::FitTooSmall { bytes: 1, .. }), "{error:?}");
    assert_eq!(error.to_string(), "a config has at least 2 bytes, so none fits into 1: give a larger size");
}

#[test]
fn each_limit_chooses_among_what_the_one_before_kept() {
    let chains = Small::new()
        .layer(layer("large", 100))
        .record("fresh", &[], Some((20, &["fresh"])))
        .record("large", &[], Some((19, &["large"])))
        .record("third", &[], Some((18, &["third"])))
        .record("fourth", &[], Some((17, &["fourth"])))
        .record("old", &[], Some((1, &["old"])))
        .chains();
    let limits = older_than(17).with_keep_bytes(50);
    assert_eq!(pruned(&chains, &limits), ["fourth <> fourth", "fresh <> fresh", "third <> third"]);
    // Large was passed over before the config was measured, so the third record is among the first two.
    let limits = limits.with_fit(2 + 2 * (10 + 5 + 7));
    assert_eq!(pruned(&chains, &limits), ["fresh <> fresh", "third <> third"]);
}

#[test]
fn what_only_a_dropped_result_kept_fresh_is_old_the_next_time() {
    let chains = Small::new()
        .layer(layer("large", 100))
        .record("base", &[], Some((1, &["base"])))
        .record("step", &["base"], Some((20, &["base", "large"])))
        .chains();
    let limits = older_than(10).with_keep_bytes(50);
    let graph = chains.graph().unwrap();
    let once = keep(&Selection::newest(&graph).limited(&limits, &config_size).unwrap()).unwrap();
    assert_eq!(shown(&once), ["base <> base"]);
    assert_eq!(pruned(&once, &limits), [""; 0]);
}

#[test]
fn a_kept_record_keeps_all_links_of_what_it_stands_on() {
    let chains = Small::new()
        .record("definition", &[], None)
        .record("content", &[], None)
        .record("copy", &["definition|content"], None)
        .record("run", &["copy", "content"], Some((1, &["a"])))
        .chains();
    let graph = chains.graph().unwrap();
    let kept = keep(&Selection::newest(&graph)).unwrap();
    assert_eq!(shown(&kept), shown(&chains));
}

#[test]
fn a_report_says_what_went_and_what_it_saves_largest_first() {
    let chains = Small::new()
        .layer(layer("large", 100))
        .record("kept", &[], Some((20, &["base", "kept"])))
        .record("small", &[], Some((3, &["base", "small"])))
        .record("large", &[], Some((2, &["base", "large", "large"])))
        .record("twin", &[], Some((1, &["small"])))
        .record("unused", &[], None)
        .chains();
    let graph = chains.graph().unwrap();
    let (before, limits) = (Selection::newest(&graph), older_than(10));
    let after = before.clone().limited(&limits, &config_size).unwrap();
    let report = PruneReport::of(&before, &after, &limits);
    let dropped: Vec<_> =
        report.dropped.iter().map(|d| (d.record.to_string(), d.created_at, d.layers, d.bytes)).collect();
    let expected = [("large", 2, 3, 100), ("small", 3, 2, 10), ("twin", 1, 1, 10)];
    assert_eq!(
        dropped,
        expected.map(|(record, day, layers, bytes)| (record.to_owned(), november(day), layers, bytes))
    );
    assert_eq!(report.old, []);
    assert_eq!(totals(report.before), (5, 4, 4, 130));
    assert_eq!(totals(report.after), (1, 1, 2, 20));
}

#[test]
fn a_report_says_what_is_kept_although_it_is_old_and_why() {
    let chains = Small::new()
        .layer(layer("used", 10).with_annotation(ANNOTATION_USED, "2026-11-19"))
        .record("base", &[], Some((2, &["base"])))
        .record("between", &["base"], Some((1, &["between"])))
        .record("step", &["between"], Some((20, &["step"])))
        .record("used", &[], Some((3, &["used"])))
        .record("under used", &[], Some((4, &["under"])))
        .record("user", &["under used"], Some((5, &["used"])))
        .chains();
    let graph = chains.graph().unwrap();
    let (before, limits) = (Selection::newest(&graph), older_than(10));
    let after = before.clone().limited(&limits, &config_size).unwrap();
    let old = PruneReport::of(&before, &after, &limits).old;
    assert_eq!(names(old.iter().map(|old| &old.record)), ["between", "base", "used", "under used", "user"]);
    let reasons: Vec<_> = old
        .iter()
        .map(|old| match &old.reason {
            KeepReason::NeededBy(record) => record.to_string(),
            KeepReason::UsedOn(day) => day.to_string(),
            _ => unreachable!("there are two reasons"),
        })
        .collect();
    assert_eq!(reasons, ["step", "step", "2026-11-19", "user", "2026-11-19"]);
}

#[test]
fn a_selection_gives_what_it_keeps() {
    let chains = Small::new()
        .record("base", &[], None)
        .record("x", &["base"], Some((1, &["a", "b"])))
        .record("y", &["x"], None)
        .chains();
    let graph = chains.graph().unwrap();
    let selection = Selection::newest(&graph);
    assert_eq!(names(selection.records().map(|record| record.digest())), ["base", "x"]);
    assert_eq!(names(selection.results().map(|(record, _)| record.digest())), ["x"]);
    let last = graph.records().next_back().unwrap();
    assert_eq!((last.digest().to_string().as_str(), selection.result(last)), ("y", None));
    assert_eq!(totals(selection.totals()), (2, 1, 2, 20));
    assert!(format!("{selection:?}").starts_with("{1 x: 2026-11-01T00:00:00Z ["), "{selection:?}");
}

fn totals(totals: Totals) -> (usize, usize, usize, u64) {
    (totals.records, totals.results, totals.blobs, totals.bytes)
}
