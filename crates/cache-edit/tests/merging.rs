//! Merging, rule by rule, on small caches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use cache_edit::{
    ANNOTATION_USED, Coherence, EditError, MergeOptions, Merged, Prefer, Source, SourceOutcome, UsedOn, merge,
};
use cache_model::{
    ANNOTATION_DESCRIPTION, ANNOTATION_DIFF_ID, CacheChains, Descriptor, Digest, Link, MediaType, NewResult,
    RecordDigest, RecordId, Rule,
};

const OLD: &str = "2026-11-27T10:00:00Z";
const NEW: &str = "2026-11-28T10:00:00Z";
const NEWEST: &str = "2026-11-28T11:00:00Z";

/// A cache whose records are named by their digests.
#[derive(Default)]
struct Cache {
    chains: CacheChains,
    records: BTreeMap<String, RecordId>,
}

/// A result: its layers, lowest first, and the time at which they were made.
type Made<'a> = (&'a [Descriptor], &'a str);

impl Cache {
    /// Adds a record. A link is the name of a record, then a blank and a selector where it has one.
    fn add(mut self, name: &str, inputs: &[&[&str]], results: &[Made<'_>]) -> Self {
        let link = |text: &&'_ str| -> (RecordId, String) {
            let (source, selector) = text.split_once(' ').unwrap_or((text, ""));
            (self.records[source], selector.to_owned())
        };
        let inputs: Vec<Vec<(RecordId, String)>> =
            inputs.iter().map(|links| links.iter().map(link).collect()).collect();
        let inputs: Vec<Vec<Link<'_>>> = inputs
            .iter()
            .map(|links| links.iter().map(|(source, selector)| Link::new(*source, selector)).collect())
            .collect();
        let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        let mut new = Vec::new();
        for (layers, at) in results {
            new.push(NewResult::new(self.chains.layers(*layers).unwrap(), at.parse().unwrap()));
        }
        let added = self.chains.add(&RecordDigest::new(name), &inputs, &new).unwrap().unwrap();
        self.records.insert(name.to_owned(), added);
        self
    }

    /// Adds a record without inputs and results.
    fn root(self, name: &str) -> Self {
        self.add(name, &[], &[])
    }

    /// Adds a record with a result of one layer, which has the name of the record and of the run.
    fn run(self, name: &str, inputs: &[&[&str]], run: &str, at: &str) -> Self {
        self.add(name, inputs, &[(&[layer(&format!("{name}-{run}"))], at)])
    }

    /// A step `build` that is not reproducible, and two files, of which each run makes others, copied out of it.
    fn built(run: &str, at: &str) -> Self {
        let (page, assets) = (format!("page-{run}"), format!("assets-{run}"));
        Self::default()
            .root("source")
            .run("build", &[&["source"]], run, at)
            .root(&page)
            .root(&assets)
            .run("copy-page", &[&["build /page", &page]], run, at)
            .run("copy-assets", &[&["build /assets", &assets]], run, at)
    }

    /// The same, with the second file copied on top of the first.
    fn of_two_copies(run: &str, at: &str) -> Self {
        Self::built(run, at).run("image", &[&["copy-page"], &["copy-assets"]], run, at)
    }
}

/// A layer whose description is its name.
fn layer(name: &str) -> Descriptor {
    Descriptor::of(MediaType::OCI_LAYER_GZIP, name).with_annotation(ANNOTATION_DESCRIPTION, name)
}

/// The same layer in another compression.
fn in_zstd(name: &str) -> Descriptor {
    Descriptor::of(MediaType::OCI_LAYER_ZSTD, format!("{name} in zstd"))
        .with_annotation(ANNOTATION_DESCRIPTION, &format!("{name} in zstd"))
        .with_annotation(ANNOTATION_DIFF_ID, &diff_id(name))
}

fn diff_id(name: &str) -> String {
    Digest::of(format!("{name}, unpacked")).to_string()
}

fn merged_by(caches: &[&Cache], options: MergeOptions) -> Merged {
    let sources: Vec<Source<'_>> = caches.iter().map(|cache| Source::new(&cache.chains)).collect();
    merge(&sources, options).unwrap()
}

fn merged(caches: &[&Cache]) -> Merged {
    merged_by(caches, MergeOptions::default())
}

/// Each record as a line: its digest, its inputs and the layers of its results, newest first.
fn lines(merged: &Merged) -> Vec<String> {
    let graph = merged.chains.graph().unwrap();
    let line = |record: cache_model::RecordRef<'_>| {
        let link = |link: cache_model::LinkRef<'_>| match link.selector {
            "" => link.source.digest().to_string(),
            selector => format!("{} {selector}", link.source.digest()),
        };
        let inputs = record.inputs().map(|links| {
            let mut links: Vec<String> = links.map(link).collect();
            links.sort();
            format!(" <- {}", links.join(" | "))
        });
        let results = record.results().map(|result| {
            let name = |layer: &Descriptor| layer.annotations.get(ANNOTATION_DESCRIPTION).unwrap().to_owned();
            format!(" = {}", result.layers().into_iter().map(name).collect::<Vec<_>>().join(", "))
        });
        format!("{}{}{}", record.digest(), inputs.collect::<String>(), results.collect::<String>())
    };
    let mut lines: Vec<String> = graph.records().map(line).collect();
    lines.sort();
    lines
}

/// Each contested record, with the winner, the losers, and those that were cut.
fn contested(merged: &Merged) -> Vec<(String, usize, Vec<usize>, Vec<usize>)> {
    let rows = merged.report.contested.iter();
    rows.map(|row| (row.record.to_string(), row.winner, row.losers.clone(), row.cut.clone())).collect()
}

/// The results of each source, how many are lost and how many replaced.
fn outcomes(merged: &Merged) -> Vec<[usize; 3]> {
    let of = |outcome: &SourceOutcome| [outcome.results, outcome.lost, outcome.replaced];
    merged.report.sources.iter().map(of).collect()
}

#[test]
fn nothing_merges_to_nothing() {
    let merged = merged(&[]);
    assert!(merged.chains.is_empty());
    assert_eq!(merged.chains.rule(), Rule::Closed);
    assert_eq!(merged.report, cache_edit::MergeReport::default());
}

#[test]
fn where_copies_of_two_runs_would_meet_the_older_run_keeps_only_what_leads_from_its_content() {
    let (old, new) = (Cache::of_two_copies("old", OLD), Cache::of_two_copies("new", NEW));
    let expected = [
        "assets-new",
        "assets-old",
        "build <- source = build-new",
        "copy-assets <- assets-new | build /assets = copy-assets-new",
        "copy-assets <- assets-old = copy-assets-old",
        "copy-page <- build /page | page-new = copy-page-new",
        "copy-page <- page-old = copy-page-old",
        "image <- copy-page <- copy-assets = image-new",
        "image <- copy-page <- copy-assets = image-old",
        "page-new",
        "page-old",
        "source",
    ];
    let one = merged(&[&old, &new]);
    assert_eq!(lines(&one), expected);
    assert_eq!(contested(&one), [("build".to_owned(), 1, vec![0], vec![0])]);
    assert_eq!(outcomes(&one), [[4, 1, 0], [4, 0, 0]]);
    let other = merged(&[&new, &old]);
    assert_eq!(lines(&other), expected);
    assert_eq!(contested(&other), [("build".to_owned(), 0, vec![1], vec![1])]);
}

#[test]
fn the_first_source_wins_where_it_is_preferred() {
    let (old, new) = (Cache::of_two_copies("old", OLD), Cache::of_two_copies("new", NEW));
    let merged = merged_by(&[&old, &new], MergeOptions::default().with_prefer(Prefer::First));
    assert_eq!(contested(&merged), [("build".to_owned(), 0, vec![1], vec![1])]);
    assert!(lines(&merged).contains(&"build <- source = build-old".to_owned()));
    assert!(lines(&merged).contains(&"copy-page <- page-new = copy-page-new".to_owned()));
}

#[test]
fn keeping_all_keeps_the_results_and_links_of_both_and_says_what_was_contested() {
    let (old, new) = (Cache::of_two_copies("old", OLD), Cache::of_two_copies("new", NEW));
    let merged = merged_by(&[&old, &new], MergeOptions::default().with_coherence(Coherence::KeepAll));
    let lines = lines(&merged);
    assert!(lines.contains(&"build <- source = build-new = build-old".to_owned()));
    assert!(lines.contains(
        &"copy-page <- build /page | page-new | page-old = copy-page-new = copy-page-old".to_owned()
    ));
    let names: Vec<String> = contested(&merged).into_iter().map(|(record, ..)| record).collect();
    assert_eq!(names, ["build", "copy-assets", "copy-page", "image"]);
    assert!(merged.report.contested.iter().all(|row| row.cut.is_empty()));
    assert_eq!(outcomes(&merged), [[4, 0, 4], [4, 0, 0]]);
    // The newest result is exported, so no other can win.
    let first = MergeOptions::default().with_coherence(Coherence::KeepAll).with_prefer(Prefer::First);
    assert_eq!(merged_by(&[&old, &new], first).report, merged.report);
}

#[test]
fn a_run_that_goes_on_in_one_line_harms_nobody() {
    let line = |run: &str, at: &str| {
        let cache = Cache::default().root("source").run("build", &[&["source"]], run, at);
        cache.run("test", &[&["build"]], run, at).run("sign", &[&["test"]], run, at)
    };
    let merged = merged(&[&line("old", OLD), &line("new", NEW)]);
    assert_eq!(
        lines(&merged),
        ["build <- source = build-new", "sign <- test = sign-new", "source", "test <- build = test-new"]
    );
    assert_eq!(outcomes(&merged), [[3, 0, 3], [3, 0, 0]]);
}

#[test]
fn copies_that_never_meet_harm_nobody() {
    let merged = merged(&[&Cache::built("old", OLD), &Cache::built("new", NEW)]);
    assert!(merged.report.contested.iter().all(|row| row.cut.is_empty()));
    assert!(
        lines(&merged).contains(&"copy-page <- build /page | page-new | page-old = copy-page-new".to_owned())
    );
}

#[test]
fn copies_of_the_same_content_cannot_clash() {
    // Both runs gave the same page, so that an image of this page and of either's assets is an image of one run.
    let image = |run: &str, at: &str| {
        let assets = format!("assets-{run}");
        Cache::default()
            .root("source")
            .run("build", &[&["source"]], run, at)
            .root("page")
            .root(&assets)
            .run("copy-page", &[&["build /page", "page"]], run, at)
            .run("copy-assets", &[&["build /assets", &assets]], run, at)
            .run("image", &[&["copy-page"], &["copy-assets"]], run, at)
    };
    let merged = merged(&[&image("old", OLD), &image("new", NEW)]);
    assert!(merged.report.contested.iter().all(|row| row.cut.is_empty()));
    assert!(lines(&merged).contains(&"copy-page <- build /page | page = copy-page-new".to_owned()));
}

#[test]
fn only_a_source_with_a_use_of_its_own_is_harmed() {
    // The third source has the build, but nothing was made from its run.
    let third = Cache::default().root("source").run("build", &[&["source"]], "third", OLD);
    let merged = merged(&[&Cache::of_two_copies("old", OLD), &third, &Cache::of_two_copies("new", NEW)]);
    let build = contested(&merged).into_iter().find(|(record, ..)| record == "build");
    assert_eq!(build, Some(("build".to_owned(), 2, vec![0, 1], vec![0])));
    assert_eq!(outcomes(&merged), [[4, 1, 0], [1, 0, 1], [4, 0, 0]]);
}

#[test]
fn content_for_which_another_source_has_a_record_does_not_count() {
    // A source that does not lose has copied the same page out of another step.
    let other = Cache::default()
        .root("source")
        .run("build-elsewhere", &[&["source"]], "other", OLD)
        .root("page-old")
        .run("copy-page", &[&["build-elsewhere /page", "page-old"]], "other", OLD);
    let (old, new) = (Cache::of_two_copies("old", OLD), Cache::of_two_copies("new", NEW));
    let merged = merged(&[&old, &other, &new]);
    let lines = lines(&merged);
    assert!(lines.contains(&"copy-page <- build-elsewhere /page | page-old = copy-page-other".to_owned()));
    assert!(lines.contains(&"copy-assets <- assets-old = copy-assets-old".to_owned()));
    // The old cache loses the build, its copy of the page, and the image, which was made from that copy.
    assert_eq!(outcomes(&merged)[0], [4, 3, 0]);
    assert!(!lines.iter().any(|line| line.ends_with("image-old")));
}

#[test]
fn the_lowest_records_are_cut_first_since_that_may_be_enough() {
    // The second build is made from the first alone. When the first is cut, the second is no longer contested.
    let image =
        |run: &str, at: &str| {
            let cache = Cache::of_two_copies(run, at).run("rebuild", &[&["image"]], run, at);
            cache
                .run("left", &[&["rebuild /left"]], run, at)
                .run("right", &[&["rebuild /right"]], run, at)
                .run("both", &[&["left"], &["right"]], run, at)
        };
    let merged = merged(&[&image("old", OLD), &image("new", NEW)]);
    assert_eq!(contested(&merged), [("build".to_owned(), 1, vec![0], vec![0])]);
    assert_eq!(outcomes(&merged), [[8, 1, 0], [8, 0, 0]]);
}

#[test]
fn a_record_that_is_still_contested_after_a_round_is_cut_in_the_next() {
    // The second build is also known by its content, which both caches agree about.
    let image = |run: &str, at: &str| {
        let cache = Cache::of_two_copies(run, at).root("content");
        cache
            .run("rebuild", &[&["image", "content"]], run, at)
            .run("left", &[&["rebuild /left"]], run, at)
            .run("right", &[&["rebuild /right"]], run, at)
            .run("both", &[&["left"], &["right"]], run, at)
    };
    let merged = merged(&[&image("old", OLD), &image("new", NEW)]);
    assert_eq!(
        contested(&merged),
        [("build".to_owned(), 1, vec![0], vec![0]), ("rebuild".to_owned(), 1, vec![0], vec![0])]
    );
    // Nothing of the old run stays behind the second build.
    assert!(lines(&merged).contains(&"both <- left <- right = both-new".to_owned()));
    assert!(!lines(&merged).iter().any(|line| line.ends_with("left-old")));
    assert_eq!(outcomes(&merged), [[8, 5, 0], [8, 0, 0]]);
}

#[test]
fn a_result_in_another_compression_is_the_same() {
    let plain = layer("build").with_annotation(ANNOTATION_DIFF_ID, &diff_id("build"));
    let gzip = Cache::default().root("source").add("build", &[&["source"]], &[(&[plain], OLD)]);
    let zstd = Cache::default().root("source").add("build", &[&["source"]], &[(&[in_zstd("build")], NEW)]);
    let twins = merged(&[&gzip, &zstd]);
    assert_eq!(contested(&twins), []);
    assert_eq!(lines(&twins), ["build <- source = build in zstd = build", "source"]);
    // Where another run lost to one of them, both stay.
    let other = Cache::default().root("source").run("build", &[&["source"]], "other", OLD);
    let merged = merged(&[&gzip, &other, &zstd]);
    assert_eq!(contested(&merged), [("build".to_owned(), 2, vec![1], vec![])]);
    assert_eq!(lines(&merged), lines(&twins));
}

#[test]
fn a_diff_id_that_one_source_names_counts_for_all() {
    let plain = layer("build");
    let named = plain.clone().with_annotation(ANNOTATION_DIFF_ID, &diff_id("build"));
    let without = Cache::default().add("build", &[], &[(&[plain], OLD)]);
    let with = Cache::default().add("build", &[], &[(&[named], OLD)]);
    let zstd = Cache::default().add("build", &[], &[(&[in_zstd("build")], NEW)]);
    assert_eq!(contested(&merged(&[&without, &zstd])).len(), 1);
    assert_eq!(contested(&merged(&[&without, &with, &zstd])), []);
}

#[test]
fn of_equal_instants_the_greater_list_of_blobs_wins() {
    let (one, two) = (layer("one"), layer("two"));
    let below = layer("below");
    let lists = [vec![one.clone()], vec![two.clone()], vec![one, below.clone()], vec![below, two]];
    for a in &lists {
        for b in lists.iter().filter(|b| *b != a) {
            let cache = |list: &[Descriptor]| Cache::default().add("build", &[], &[(list, NEW)]);
            let digests = |list: &[Descriptor]| list.iter().map(|layer| layer.digest).collect::<Vec<_>>();
            let merged = merged(&[&cache(a), &cache(b)]);
            assert_eq!(merged.report.contested[0].winner, usize::from(digests(b) > digests(a)));
        }
    }
}

#[test]
fn results_without_layers_are_left_out_and_contest_nothing() {
    let empty = Cache::default().root("source").add("build", &[&["source"]], &[(&[], NEWEST)]);
    let old = Cache::default().root("source").run("build", &[&["source"]], "old", OLD);
    let merged = merged(&[&empty, &old]);
    assert_eq!(lines(&merged), ["build <- source = build-old", "source"]);
    assert_eq!(contested(&merged), []);
    assert_eq!(outcomes(&merged), [[0, 0, 0], [1, 0, 0]]);
}

#[test]
fn a_step_without_a_result_loses_nothing() {
    let known = Cache::default().root("source").add("build", &[&["source"]], &[]).run(
        "test",
        &[&["build"]],
        "a",
        OLD,
    );
    let run = Cache::default().root("source").run("build", &[&["source"]], "b", NEW);
    let merged = merged(&[&known, &run]);
    assert_eq!(contested(&merged), []);
    assert_eq!(lines(&merged), ["build <- source = build-b", "source", "test <- build = test-a"]);
}

#[test]
fn results_of_records_that_a_cycle_leaves_out_are_lost() {
    let one = Cache::default().root("r").run("x", &[&["r"]], "a", OLD).run("y", &[&["x"]], "a", OLD);
    // It has two records of `x`: the one that `y` was made from, and one that was made from `y`.
    let two =
        Cache::default().root("r").root("t").run("x", &[&["r"]], "a", OLD).run("y", &[&["x"]], "a", OLD);
    let two = two.run("x", &[&["y", "t"]], "a", OLD);
    assert_eq!(outcomes(&merged(&[&one, &two])), [[2, 0, 0], [3, 0, 0]]);
    // This makes one of them.
    let three = Cache::default().root("r").root("t").run("x", &[&["r", "t"]], "a", OLD);
    let merged = merged(&[&one, &two, &three]);
    assert_eq!(lines(&merged), ["r", "t", "x <- r | t = x-a"]);
    assert_eq!(outcomes(&merged), [[2, 1, 0], [3, 1, 0], [1, 0, 0]]);
}

#[test]
fn a_record_that_a_cycle_left_out_is_back_when_the_cycle_is_cut() {
    let one = Cache::default().root("r").run("x", &[&["r"]], "a", OLD).run("y", &[&["x"]], "a", OLD);
    // The second record of `x` closes a cycle in the union. It takes from a run of `build` that loses.
    let two = Cache::default()
        .root("r")
        .root("t")
        .run("build", &[&["r"]], "old", OLD)
        .run("x", &[&["r"]], "a", OLD)
        .run("y", &[&["x"]], "a", OLD)
        .run("x", &[&["y", "t", "build /page"]], "a", OLD)
        .run("z", &[&["build /assets"]], "a", OLD)
        .run("image", &[&["x"], &["z"]], "a", OLD);
    let three = Cache::default().root("r").root("t").run("x", &[&["r", "t"]], "a", OLD);
    let new = Cache::default().root("r").run("build", &[&["r"]], "new", NEW);
    let all =
        merged_by(&[&one, &two, &three, &new], MergeOptions::default().with_coherence(Coherence::KeepAll));
    assert!(!lines(&all).iter().any(|line| line.starts_with("y")));
    let cut = merged(&[&one, &two, &three, &new]);
    assert_eq!(lines(&cut), ["build <- r = build-new", "r", "t", "x <- r | t = x-a", "y <- x = y-a"]);
    assert_eq!(contested(&cut), [("build".to_owned(), 3, vec![1], vec![1])]);
}

#[test]
fn of_several_descriptors_the_one_with_the_smallest_text_in_oci_types_is_taken() {
    let docker =
        Descriptor::of(MediaType::DOCKER_LAYER_GZIP, "a layer").with_annotation(ANNOTATION_DESCRIPTION, "b");
    let oci =
        Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer").with_annotation(ANNOTATION_DESCRIPTION, "a");
    let cache =
        |layer: &Descriptor| Cache::default().add("build", &[], &[(std::slice::from_ref(layer), OLD)]);
    for caches in [[&cache(&docker), &cache(&oci)], [&cache(&oci), &cache(&docker)]] {
        let merged = merged(&caches);
        assert_eq!(merged.chains.blobs().collect::<Vec<_>>(), [&oci]);
    }
    let converted = merged(&[&cache(&docker)]);
    let expected =
        Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer").with_annotation(ANNOTATION_DESCRIPTION, "b");
    assert_eq!(converted.chains.blobs().collect::<Vec<_>>(), [&expected]);
}

#[test]
fn the_latest_mark_of_use_stays_and_new_sources_are_marked() {
    let day = |text: &str| text.parse::<UsedOn>().unwrap();
    let marked = |day: &str| layer("build").with_annotation(ANNOTATION_USED, day);
    let cache =
        |layer: &Descriptor| Cache::default().add("build", &[], &[(std::slice::from_ref(layer), OLD)]);
    let mark_of = |sources: &[Source<'_>]| {
        let merged = merge(sources, MergeOptions::default()).unwrap();
        let layers: Vec<Descriptor> = merged.chains.blobs().cloned().collect();
        let [layer] = layers.as_slice() else { panic!("{layers:?}") };
        layer.annotations.get(ANNOTATION_USED).map(str::to_owned)
    };
    let (plain, old, new) =
        (cache(&layer("build")), cache(&marked("2026-11-01")), cache(&marked("2026-11-20")));
    fn source(cache: &Cache) -> Source<'_> {
        Source::new(&cache.chains)
    }
    assert_eq!(mark_of(&[source(&plain)]), None);
    for sources in
        [[source(&plain), source(&old), source(&new)], [source(&new), source(&plain), source(&old)]]
    {
        assert_eq!(mark_of(&sources).as_deref(), Some("2026-11-20"));
    }
    assert_eq!(
        mark_of(&[source(&old), source(&plain).marked(day("2026-11-28"))]).as_deref(),
        Some("2026-11-28")
    );
    // An earlier day does not replace a later mark.
    assert_eq!(mark_of(&[source(&new).marked(day("2026-11-03"))]).as_deref(), Some("2026-11-20"));
}

#[test]
fn a_blob_with_two_sizes_is_refused_with_both_sources() {
    let mut wrong = layer("build");
    wrong.size = 7;
    let cache = |layer: Descriptor| Cache::default().add("build", &[], &[(&[layer], OLD)]);
    let (right, other, wrong) = (cache(layer("build")), cache(layer("other")), cache(wrong));
    let sources: Vec<Source<'_>> =
        [&right, &other, &wrong].iter().map(|cache| Source::new(&cache.chains)).collect();
    let error = merge(&sources, MergeOptions::default()).unwrap_err();
    let blob = layer("build").digest;
    let advice = "one of the two is damaged, so leave it out";
    let expected = format!("blob {blob} has 5 bytes in source 0 and 7 bytes in source 2: {advice}");
    assert_eq!(error.to_string(), expected);
    let EditError::SizeConflict { sizes, sources, .. } = error else { panic!("{error:?}") };
    assert_eq!((sizes, sources), ([5, 7], [0, 2]));
}

#[test]
fn a_source_is_read_by_its_own_rule() {
    // By BuildKit's rule these are two records in this order, by the closed rule one.
    let mut source = Cache::default().root("a").root("b");
    let both = |cache: &Cache| [cache.records["a"], cache.records["b"]].map(|record| Link::new(record, ""));
    for links in [vec![0], vec![1], vec![0, 1]] {
        let all = both(&source);
        let links: Vec<Link<'_>> = links.into_iter().map(|at| all[at]).collect();
        source.chains.add(&"x".into(), &[&links], &[]).unwrap();
    }
    assert_eq!(lines(&merged(&[&source])), ["a", "b", "x <- a | b"]);
}
