//! The lower-level questions, against answers found by walking over everything.

use std::collections::BTreeSet;

use cache_keys::{BackLink, CacheKeys, KeyId, LinkQuery, ResultFilter};
use cache_model::{
    CacheChains, Compression, Descriptor, Digest, Graph, Link, MediaType, NewResult, RecordDigest, RecordId,
    RecordRef, ResultRef, Rule, Timestamp,
};
use proptest::prelude::*;

use crate::adds::{SELECTORS, VERTICES, any_adds, chains_of, late_unions, plain, result};

/// The distinct links of an input: the first of the records that are equal to the source, and the selector.
type Sources<'g> = BTreeSet<(usize, &'g str)>;

/// For each record the first one that is equal to it in all that it depends on, by comparing it with all before it.
fn firsts(graph: &Graph<'_>) -> Vec<usize> {
    let mut firsts: Vec<usize> = Vec::new();
    let mut known: Vec<(&RecordDigest, Vec<Sources<'_>>)> = Vec::new();
    for record in graph.records() {
        let inputs = record
            .inputs()
            .map(|links| links.map(|link| (firsts[link.source.position()], link.selector)).collect())
            .collect();
        let key = (record.digest(), inputs);
        firsts.push(known.iter().position(|other| *other == key).unwrap_or(known.len()));
        known.push(key);
    }
    firsts
}

/// All keys that follow from a source, by walking over every link of every record.
fn follow_by_walking(
    graph: &Graph<'_>,
    firsts: &[usize],
    source: usize,
    input: usize,
    digest: &RecordDigest,
    selector: &str,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for record in graph.records().filter(|record| record.digest() == digest) {
        for link in record.inputs().nth(input).into_iter().flatten() {
            if link.selector == selector && firsts[link.source.position()] == source {
                found.insert(firsts[record.position()]);
            }
        }
    }
    found
}

/// Checks all answers for one graph against walking over everything.
fn check(chains: CacheChains) {
    let keys = CacheKeys::new(chains).unwrap();
    let graph = keys.graph();
    let firsts = firsts(graph);
    let id_at = |position: usize| keys.id(graph.at(position).unwrap()).unwrap();
    for source in graph.records() {
        let id = keys.id(source).unwrap();
        let first = firsts[source.position()];
        let twins: Vec<RecordRef<'_>> =
            graph.records().filter(|record| firsts[record.position()] == first).collect();
        assert_eq!(keys.record(id), Some(twins[0]));
        assert_eq!(keys.records(id).collect::<Vec<_>>(), twins);

        for wanted in [
            ResultFilter::Any,
            ResultFilter::SomeLayer(Compression::Gzip),
            ResultFilter::EveryLayer(Compression::Gzip),
        ] {
            let fits = |result: &ResultRef<'_>| {
                let mut layers = result.layers().into_iter().map(|layer| layer.compression());
                match wanted {
                    ResultFilter::Any => true,
                    ResultFilter::SomeLayer(wanted) => layers.any(|layer| layer == Some(wanted)),
                    ResultFilter::EveryLayer(wanted) => {
                        result.layers_len() > 0 && layers.all(|layer| layer == Some(wanted))
                    }
                    other => panic!("an unknown filter: {other:?}"),
                }
            };
            let fitting = twins.iter().flat_map(|twin| twin.results()).filter(fits);
            let mut results: Vec<_> = fitting.map(plain).collect();
            if twins.len() > 1 {
                results.sort();
                results.dedup();
                results.reverse();
            }
            assert_eq!(keys.results(id, wanted).map(plain).collect::<Vec<_>>(), results);
        }

        let mut back = BTreeSet::new();
        for (input, links) in twins.iter().flat_map(|twin| twin.inputs().enumerate()) {
            back.extend(links.map(|link| (input, firsts[link.source.position()], link.selector)));
        }
        let back = back
            .into_iter()
            .map(|(input, source, selector)| BackLink::new(id_at(source).clone(), input, selector));
        assert_eq!(keys.back_links(id), back.collect::<Vec<_>>());

        for (vertex, out, input, selector) in (0..4).flat_map(|v| {
            (0..2).flat_map(move |o| (0..3).flat_map(move |i| (0..2).map(move |s| (v, o, i, s))))
        }) {
            let digest = RecordDigest::new(VERTICES[vertex]);
            let query = LinkQuery { input, output: out, digest: &digest, selector: SELECTORS[selector] };
            let wanted = RecordDigest::of_output(VERTICES[vertex], out);
            let walked = follow_by_walking(graph, &firsts, first, input, &wanted, SELECTORS[selector]);
            let walked: Vec<&KeyId> = walked.into_iter().map(id_at).collect();
            assert_eq!(keys.follow(id, query), walked);
        }
    }
}

/// Checks the graphs by both rules.
fn check_both(mut chains: CacheChains) {
    check(chains.clone());
    chains.set_rule(Rule::Closed);
    check(chains);
}

proptest! {
    /// Law: the indices give what walking over everything gives, whichever way the graph was read; records have one
    /// id exactly when they are equal in all that they depend on.
    #[test]
    fn indices_answer_as_walking_does(adds in any_adds()) {
        let chains = chains_of(&adds);
        check_both(chains);
    }

    /// Law: the same where records have come to be equal, as they can in a graph that is read by order.
    #[test]
    fn indices_answer_as_walking_does_where_several_records_are_one_key(adds in late_unions()) {
        let chains = chains_of(&adds);
        check_both(chains);
    }

    /// Law: in a closed graph every record has an id of its own.
    #[test]
    fn ids_of_a_closed_graph_are_distinct(adds in prop_oneof![any_adds(), late_unions()]) {
        let chains = chains_of(&adds);
        let mut chains = chains;
        chains.set_rule(Rule::Closed);
        let graph = chains.graph().unwrap();
        prop_assert_eq!(firsts(&graph), (0..graph.len()).collect::<Vec<_>>());
    }
}

#[test]
fn records_that_are_equal_in_all_are_one_key_with_the_results_of_all() {
    let mut chains = CacheChains::new();
    let results: Vec<NewResult> = [(1, vec![1]), (4, vec![2, 3]), (2, vec![1]), (1, vec![1]), (4, vec![2])]
        .into_iter()
        .map(|(seconds, blobs)| result(&mut chains, seconds, &blobs))
        .collect();
    let mut add = |digest: &str, inputs: &[&[RecordId]], results: &[NewResult]| {
        let link = |source: &RecordId| Link { source: *source, selector: "" };
        let inputs: Vec<Vec<Link<'_>>> =
            inputs.iter().map(|sources| sources.iter().map(link).collect()).collect();
        let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        chains.add(&RecordDigest::of_output(digest, 0), &inputs, results).unwrap().unwrap()
    };
    let (r, s) = (add("r", &[], &[]), add("s", &[], &[]));
    let (x, other_x) = (add("x", &[&[r]], &[]), add("x", &[&[s]], &[]));
    let (y, other_y) = (add("y", &[&[x]], &results[..2]), add("y", &[&[other_x]], &results[2..]));
    let (z, other_z) = (add("z", &[&[y]], &[]), add("z", &[&[other_y]], &[]));
    let w = add("w", &[&[other_y]], &[]);
    // Only now do the two records of x become one.
    add("x", &[&[r, s]], &[]);
    let keys = CacheKeys::new(chains).unwrap();
    let graph = keys.graph();
    let id_of = |id| keys.id(graph.record(id).unwrap()).unwrap();
    assert_eq!(graph.record(x), graph.record(other_x));
    assert_ne!(graph.record(y), graph.record(other_y));
    assert_eq!(id_of(y), id_of(other_y));
    assert_ne!(graph.record(z), graph.record(other_z));
    assert_eq!(id_of(z), id_of(other_z));

    let follow = |source, digest: &str| {
        keys.follow(source, LinkQuery { input: 0, output: 0, digest: &digest.into(), selector: "" })
    };
    assert_eq!(follow(id_of(x), "y"), [id_of(y)]);
    assert_eq!(follow(id_of(y), "z"), [id_of(z)]);
    assert_eq!(follow(id_of(y), "w"), [id_of(w)], "a link from the second of them is found");
    let back = BackLink::new(id_of(y).clone(), 0, "");
    assert_eq!(keys.back_links(id_of(z)), [back]);
    let merged: Vec<(i64, usize)> = keys
        .results(id_of(y), ResultFilter::Any)
        .map(|result| (result.created_at().unix_seconds(), result.layers_len()))
        .collect();
    assert_eq!(merged, [(4, 2), (4, 1), (2, 1), (1, 1)]);
}

#[test]
fn a_record_that_links_to_two_of_one_key_has_the_id_of_one_that_links_to_either() {
    let id_of_z = |is_split: bool| {
        let mut chains = CacheChains::new();
        let mut add = |digest: &str, sources: &[RecordId]| {
            let links: Vec<Link<'_>> = sources.iter().map(|s| Link { source: *s, selector: "" }).collect();
            let inputs: &[&[Link<'_>]] = if links.is_empty() { &[] } else { &[&links] };
            chains.add(&digest.into(), inputs, &[]).unwrap().unwrap()
        };
        let (r, s) = (add("r", &[]), add("s", &[]));
        let z = if is_split {
            let (x, other_x) = (add("x", &[r]), add("x", &[s]));
            let (y, other_y) = (add("y", &[x]), add("y", &[other_x]));
            add("x", &[r, s]);
            add("z", &[y, other_y])
        } else {
            let x = add("x", &[r, s]);
            let y = add("y", &[x]);
            add("z", &[y])
        };
        let keys = CacheKeys::new(chains).unwrap();
        keys.id(keys.graph().record(z).unwrap()).unwrap().clone()
    };
    assert_eq!(id_of_z(true), id_of_z(false));
}

#[test]
fn a_solver_asks_for_a_root_by_its_vertex_and_output() {
    let mut chains = CacheChains::new();
    let root = chains.add(&RecordDigest::of_output("source", 1), &[], &[]).unwrap().unwrap();
    let keys = CacheKeys::new(chains).unwrap();
    let graph = keys.graph();
    let id = KeyId::of_root("source", 1);
    assert_eq!(keys.record(&id), graph.record(root));
    assert_eq!(id, KeyId::root(&RecordDigest::of_output("source", 1)));
    for absent in [KeyId::of_root("source", 0), KeyId::of_root("other", 1), KeyId::root(&"source".into())] {
        assert_eq!(keys.record(&absent), None);
    }
}

#[test]
fn a_key_has_the_same_id_in_every_cache() {
    let id_of = |prefix: &[&str]| {
        let mut chains = CacheChains::new();
        for other in prefix {
            chains.add(&(*other).into(), &[], &[]).unwrap();
        }
        let root = chains.add(&"root".into(), &[], &[]).unwrap().unwrap();
        let link = [Link { source: root, selector: "/a" }];
        let child = chains.add(&"child".into(), &[&link], &[]).unwrap().unwrap();
        let keys = CacheKeys::new(chains).unwrap();
        let graph = keys.graph();
        assert_eq!(keys.id(graph.record(root).unwrap()), Some(&KeyId::root(&"root".into())));
        keys.id(graph.record(child).unwrap()).unwrap().to_string()
    };
    assert_eq!(id_of(&[]), id_of(&["other", "more"]));
}

#[test]
fn sources_with_digests_of_any_length_are_told_apart() {
    let texts = || [127, 128, 129].into_iter().flat_map(|len| ["a", "b"].map(|end| "x".repeat(len) + end));
    let ids = |texts: Vec<String>| {
        let mut chains = CacheChains::new();
        for text in texts {
            let root = chains.add(&text.as_str().into(), &[], &[]).unwrap().unwrap();
            chains.add(&"child".into(), &[&[Link { source: root, selector: "" }]], &[]).unwrap();
        }
        let keys = CacheKeys::new(chains).unwrap();
        let graph = keys.graph();
        let children = graph.records().filter(|record| record.inputs_len() > 0);
        children.map(|child| keys.id(child).unwrap().clone()).collect::<BTreeSet<KeyId>>()
    };
    let all = ids(texts().collect());
    assert_eq!(all.len(), 6);
    assert_eq!(ids(texts().rev().collect()), all);
}

#[test]
fn results_come_newest_first_and_only_those_that_fit() {
    let layer =
        |n: u8, media_type: &str| Descriptor::new(MediaType::new(media_type), Digest::sha256([n; 32]), 1);
    let gzip = layer(1, "application/vnd.oci.image.layer.v1.tar+gzip");
    let zstd = layer(2, "application/vnd.oci.image.layer.v1.tar+zstd");
    let mut chains = CacheChains::new();
    let mut results = Vec::new();
    for (seconds, layers) in [(1, vec![&gzip]), (3, vec![&gzip, &zstd]), (2, vec![&zstd]), (4, vec![])] {
        let layer = chains.layers(layers).unwrap();
        results.push(NewResult { created_at: Timestamp::from_unix(seconds, 0).unwrap(), layer });
    }
    chains.add(&"r".into(), &[], &results).unwrap();
    let keys = CacheKeys::new(chains).unwrap();
    let seconds = |wanted| -> Vec<i64> {
        keys.results(&KeyId::root(&"r".into()), wanted)
            .map(|result| result.created_at().unix_seconds())
            .collect()
    };
    assert_eq!(seconds(ResultFilter::Any), [4, 3, 2, 1]);
    assert_eq!(seconds(ResultFilter::SomeLayer(Compression::Gzip)), [3, 1]);
    assert_eq!(seconds(ResultFilter::EveryLayer(Compression::Gzip)), [1]);
    assert_eq!(seconds(ResultFilter::EveryLayer(Compression::Zstd)), [2]);
    assert_eq!(keys.results(&KeyId::root(&"absent".into()), ResultFilter::Any).count(), 0);
}
