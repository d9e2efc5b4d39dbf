//! Whether a step is cached, against the definition and against adding the step.

use std::collections::BTreeSet;

use cache_keys::{CacheKeys, KeyId, KeyLink, ResultFilter};
use cache_model::{CacheChains, Compression, Link, NewResult, RecordDigest, RecordId, RecordRef};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::adds::{
    Add, SELECTORS, VERTICES, any_adds, chains_of, chains_with_ids, late_unions, plain, result,
};

/// A step like a record of the graph: how many inputs are left out, and for each input which links are kept, and a
/// further record and selector.
#[derive(Clone, Debug)]
struct Question {
    record: Index,
    without: usize,
    inputs: Vec<(Vec<bool>, Option<Further>)>,
}

/// A record, and which of the selectors.
type Further = (Index, usize);

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let kept = prop::collection::vec(prop::bool::weighted(0.8), 8);
    let more = prop::option::weighted(0.3, (any::<Index>(), 0..2usize));
    let inputs = prop::collection::vec((kept, more), 3);
    let question = (any::<Index>(), prop_oneof![8 => Just(0usize), 1 => Just(1)], inputs);
    prop::collection::vec(
        question.prop_map(|(record, without, inputs)| Question { record, without, inputs }),
        1..8,
    )
}

/// The links of each input of a question: sources and selectors.
fn inputs_of<'k>(keys: &'k CacheKeys, question: &Question) -> (RecordRef<'k>, Vec<Vec<KeyLink<'k>>>) {
    let records: Vec<RecordRef<'k>> = keys.graph().records().collect();
    let record = *question.record.get(&records);
    let id = |record: RecordRef<'k>| keys.id(record).unwrap();
    let inputs = record.inputs().zip(&question.inputs).map(|(links, (kept, more))| {
        let links = links.zip(kept).filter(|(_, kept)| **kept).map(|(link, _)| link);
        let mut links: Vec<_> = links.map(|link| KeyLink::new(id(link.source), link.selector)).collect();
        if let Some((record, selector)) = more {
            links.push(KeyLink::new(id(*record.get(&records)), SELECTORS[*selector]));
        }
        links
    });
    (record, inputs.take(record.inputs_len() - question.without.min(record.inputs_len())).collect())
}

/// The vertex and output that a record digest stands for.
fn step_of(digest: &RecordDigest) -> (&'static str, usize) {
    let mut steps = VERTICES.iter().flat_map(|vertex| (0..2).map(|output| (*vertex, output)));
    steps.find(|(vertex, output)| RecordDigest::of_output(vertex, *output) == *digest).unwrap()
}

/// The keys that have in every input one of the links, found by walking over all records.
fn found_by_walking<'k>(
    keys: &'k CacheKeys,
    like: RecordRef<'_>,
    inputs: &[Vec<KeyLink<'_>>],
) -> BTreeSet<&'k KeyId> {
    let matches = |record: &RecordRef<'k>| {
        record.digest() == like.digest()
            && (!inputs.is_empty() || record.inputs_len() == 0)
            && inputs.iter().enumerate().all(|(input, given)| {
                let mut links = record.inputs().nth(input).into_iter().flatten();
                links.any(|link| given.contains(&KeyLink::new(keys.id(link.source).unwrap(), link.selector)))
            })
    };
    keys.graph().records().filter(matches).map(|record| keys.id(record).unwrap()).collect()
}

fn check(adds: &[Add], questions: &[Question]) {
    let (chains, ids) = chains_with_ids(adds);
    let keys = CacheKeys::new(chains.clone()).unwrap();
    for question in questions {
        let (like, inputs) = inputs_of(&keys, question);
        let (vertex, output) = step_of(like.digest());
        let links: Vec<&[KeyLink<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        let found = keys.find(vertex, output, &links);
        assert_eq!(found.ids().collect::<BTreeSet<_>>(), found_by_walking(&keys, like, &inputs));
        assert_eq!(found.ids().count(), found.len());
        assert_eq!(found.is_cached(), found.results().count() > 0);
        check_add(&chains, &ids, &keys, like, &inputs);
    }
}

/// Checks that an add of the step is a new record just where nothing was found, and has the results that were found.
fn check_add(
    chains: &CacheChains,
    ids: &[RecordId],
    keys: &CacheKeys,
    like: RecordRef<'_>,
    inputs: &[Vec<KeyLink<'_>>],
) {
    if inputs.iter().any(Vec::is_empty) {
        return;
    }
    let added = |link: &KeyLink<'_>| {
        let of_key = |id: &&RecordId| {
            let record = keys.graph().record(**id);
            record.is_some_and(|record| keys.id(record).unwrap() == link.source)
        };
        let selector = SELECTORS[SELECTORS.iter().position(|known| *known == link.selector).unwrap()];
        ids.iter().filter(of_key).map(move |id| Link { source: *id, selector }).collect::<Vec<_>>()
    };
    let links: Vec<Vec<Link<'_>>> =
        inputs.iter().map(|links| links.iter().flat_map(added).collect()).collect();
    let links: Vec<&[Link<'_>]> = links.iter().map(Vec::as_slice).collect();
    let mut chains = chains.clone();
    let id = chains.add(like.digest(), &links, &[]).unwrap().unwrap();
    let graph = chains.graph().unwrap();

    let (vertex, output) = step_of(like.digest());
    let links: Vec<&[KeyLink<'_>]> = inputs.iter().map(Vec::as_slice).collect();
    let found = keys.find(vertex, output, &links);
    assert_eq!(found.is_empty(), graph.len() == keys.graph().len() + 1);
    if let Some(record) = graph.record(id) {
        let results: Vec<_> = record.results().map(plain).collect();
        assert_eq!(found.results().map(plain).collect::<Vec<_>>(), results);
    }
}

proptest! {
    /// Law: a step matches the keys that have, in every input, one of the links that are given. These are the records
    /// that an add of the step would join, with their results.
    #[test]
    fn a_step_matches_the_records_that_an_add_of_it_would_join(adds in any_adds(), questions in questions()) {
        check(&adds, &questions);
    }

    /// Law: the same where several records are one key.
    #[test]
    fn a_step_matches_keys_of_several_records(adds in late_unions(), questions in questions()) {
        check(&adds, &questions);
    }

    /// Law: an index that is cloned and moved into a thread gives the same answers.
    #[test]
    fn clones_answer_in_other_threads(adds in any_adds()) {
        let keys = CacheKeys::new(chains_of(&adds)).unwrap();
        let ids = |keys: &CacheKeys| keys.ids().cloned().collect::<Vec<KeyId>>();
        let moved = keys.clone();
        let there = std::thread::spawn(move || ids(&moved)).join().unwrap();
        prop_assert_eq!(there, ids(&keys));
        prop_assert_eq!(keys.len(), keys.ids().len());
        prop_assert_eq!(keys.is_empty(), keys.ids().next().is_none());
    }
}

/// A source, its content, and a step on either of them, which has a result.
fn copy_of_content() -> CacheChains {
    let mut chains = CacheChains::new();
    let mut add = |digest: &RecordDigest, links: &[Link<'_>], results: &[NewResult]| {
        let inputs: &[&[Link<'_>]] = if links.is_empty() { &[] } else { &[links] };
        chains.add(digest, inputs, results).unwrap().unwrap()
    };
    let source = add(&RecordDigest::of_output("source", 0), &[], &[]);
    let content = add(&RecordDigest::of_content("files"), &[], &[]);
    let links = [Link { source, selector: "/src" }, Link { source: content, selector: "" }];
    let copy = add(&RecordDigest::of_output("copy", 0), &links, &[]);
    let made = result(&mut chains, 7, &[1]);
    let on_copy = [Link { source: copy, selector: "" }];
    chains.add(&RecordDigest::of_output("run", 0), &[&on_copy], &[made]).unwrap();
    chains
}

#[test]
fn a_step_is_found_by_its_definition_or_by_the_content_of_its_input() {
    let keys = CacheKeys::new(copy_of_content()).unwrap();
    let (content, other) = (KeyId::of_content("files"), KeyId::of_content("changed"));
    let source = keys.find("source", 0, &[]);
    let by_definition = keys.find("copy", 0, &[&source.links("/src")]);
    let by_content = keys.find("copy", 0, &[&[KeyLink::new(&other, ""), KeyLink::new(&content, "")]]);
    for copy in [&by_definition, &by_content] {
        assert_eq!((copy.len(), copy.is_cached()), (1, false), "{copy:?}");
        let run = keys.find("run", 0, &[&copy.links("")]);
        assert!(run.is_cached());
        let seconds: Vec<i64> = run.results().map(|result| result.created_at().unix_seconds()).collect();
        assert_eq!(seconds, [7]);
        assert_eq!(run.results_with(ResultFilter::EveryLayer(Compression::Gzip)).count(), 1);
        assert_eq!(run.results_with(ResultFilter::SomeLayer(Compression::Zstd)).count(), 0);
    }
}

#[test]
fn a_step_that_differs_in_anything_is_not_found() {
    let keys = CacheKeys::new(copy_of_content()).unwrap();
    let source = keys.find("source", 0, &[]);
    let unknown = keys.find("unknown", 0, &[]);
    let links = source.links("/src");
    assert!(!keys.find("copy", 0, &[&links]).is_empty());
    for (what, found) in [
        ("another step", keys.find("move", 0, &[&links])),
        ("another output", keys.find("copy", 1, &[&links])),
        ("another selector", keys.find("copy", 0, &[&source.links("")])),
        ("another source", keys.find("copy", 0, &[&unknown.links("/src")])),
        ("an input more", keys.find("copy", 0, &[&links, &links])),
        ("no input", keys.find("copy", 0, &[])),
        ("an input without links", keys.find("copy", 0, &[&[]])),
        ("the bare digest of a record", keys.find(RecordDigest::of_output("copy", 0), 0, &[&links])),
    ] {
        assert!(found.is_empty() && !found.is_cached(), "{what}");
    }
}

#[test]
fn an_index_is_kept_moved_and_shown() {
    fn can_be_kept<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
    let keys = CacheKeys::new(copy_of_content()).unwrap();
    can_be_kept(&keys);
    assert!(format!("{keys:?}").contains(&KeyId::of_root("source", 0).to_string()));
    assert!(CacheKeys::new(CacheChains::new()).unwrap().is_empty());
}
