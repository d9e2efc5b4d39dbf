//! The laws of pruning and comparing, on random caches.

use std::collections::BTreeSet;

use cache_edit::{ANNOTATION_USED, Limits, Selection, diff, keep};
use cache_model::{
    CacheChains, CacheConfig, Descriptor, Digest, Graph, Link, MediaType, NewResult, RecordDigest, Rule,
};
use proptest::prelude::*;

use crate::small::{config_size, november};

/// A record: the number of its digest, the links of each input as (earlier record, selector), and its results as a day
/// and the numbers of layers.
#[derive(Clone, Debug)]
struct Add {
    digest: usize,
    inputs: Vec<Vec<(prop::sample::Index, &'static str)>>,
    results: Vec<(u8, Vec<u8>)>,
}

/// Records with at least as many results, each of at least as many layers.
fn adds(least: usize) -> impl Strategy<Value = Vec<Add>> {
    let link = (any::<prop::sample::Index>(), prop_oneof![3 => Just(""), 1 => Just("a")]);
    let inputs = prop::collection::vec(prop::collection::vec(link, 1..3), 0..3);
    let result = (1u8..28, prop::collection::vec(0u8..8, least..5));
    let add = (0..9usize, inputs, prop::collection::vec(result, least..3));
    let add = add.prop_map(|(digest, inputs, results)| Add { digest, inputs, results });
    prop::collection::vec(add, 0..14)
}

fn layer(number: u8) -> Descriptor {
    let layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256([number; 32]), 1 << number);
    match number {
        6 => layer.with_annotation(ANNOTATION_USED, "2026-11-15"),
        7 => layer.with_annotation(ANNOTATION_USED, "2026-11-31"),
        _ => layer,
    }
}

fn chains(adds: &[Add]) -> CacheChains {
    let (mut chains, mut ids) = (CacheChains::new(), Vec::new());
    for add in adds {
        let inputs = if ids.is_empty() { &[][..] } else { &add.inputs };
        let link = |(source, selector): &(prop::sample::Index, &'static str)| {
            Link::new(ids[source.index(ids.len())], selector)
        };
        let inputs: Vec<Vec<Link<'_>>> =
            inputs.iter().map(|links| links.iter().map(link).collect()).collect();
        let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        let mut results = Vec::new();
        for (day, layers) in &add.results {
            let layers: Vec<Descriptor> = layers.iter().map(|number| layer(*number)).collect();
            results.push(NewResult::new(chains.layers(&layers).unwrap(), november(*day)));
        }
        let id = chains.add(&RecordDigest::new(&format!("step {}", add.digest)), &inputs, &results);
        ids.push(id.unwrap().unwrap());
    }
    chains.set_rule(Rule::Closed);
    chains
}

fn one_limit() -> impl Strategy<Value = Limits> {
    prop_oneof![
        (1u8..28).prop_map(|day| Limits::default().with_older_than(november(day))),
        (0u64..300).prop_map(|bytes| Limits::default().with_keep_bytes(bytes)),
        (2u64..300).prop_map(|bytes| Limits::default().with_fit(bytes)),
    ]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let days = prop::option::of(1u8..28);
    (days, prop::option::of(0u64..300), prop::option::of(2u64..300)).prop_map(|(day, bytes, fit)| {
        let mut limits = Limits::default();
        limits.older_than = day.map(november);
        limits.keep_bytes = bytes;
        limits.fit = fit;
        limits
    })
}

fn pruned(chains: &CacheChains, limits: &Limits) -> CacheChains {
    let graph = chains.graph().unwrap();
    keep(&Selection::newest(&graph).limited(limits, &config_size).unwrap()).unwrap()
}

fn config(chains: &CacheChains) -> CacheConfig {
    chains.marshal(&|_| true).unwrap().config
}

/// The newest result of each record: its digest, its instant and its blobs.
fn newest(graph: &Graph<'_>) -> BTreeSet<(String, String, Vec<Digest>)> {
    let results = Selection::newest(graph);
    let result = |(record, result): (cache_model::RecordRef<'_>, cache_model::ResultRef<'_>)| {
        let blobs = result.layers().into_iter().map(|layer| layer.digest).collect();
        (record.digest().to_string(), result.created_at().to_string(), blobs)
    };
    results.results().map(result).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Law: pruning again with the same limit changes nothing.
    #[test]
    fn pruning_is_idempotent(adds in adds(0), limits in one_limit()) {
        let once = pruned(&chains(&adds), &limits);
        prop_assert_eq!(config(&pruned(&once, &limits)), config(&once));
    }

    /// Law: the outcome keeps to each limit, and what is kept is what was there, with all of its layers.
    #[test]
    fn the_outcome_keeps_to_the_limits_and_has_all_layers(adds in adds(0), limits in any_limits()) {
        let before = chains(&adds);
        let after = pruned(&before, &limits);
        let (before, after) = (before.graph().unwrap(), after.graph().unwrap());
        let totals = Selection::newest(&after).totals();
        prop_assert!(limits.keep_bytes.is_none_or(|limit| totals.bytes <= limit), "{:?}", totals);
        let marshalled = after.marshal(&|_| true);
        let size = config_size(&marshalled.config);
        prop_assert!(limits.fit.is_none_or(|limit| size <= limit), "{}", size);
        prop_assert!(newest(&after).is_subset(&newest(&before)));
        prop_assert_eq!(totals.records, after.len());
        prop_assert_eq!(marshalled.layer_descriptors().count(), marshalled.config.layers().len());
    }

    /// Law: nothing is kept only where no result fits alone.
    #[test]
    fn something_is_kept_where_a_result_fits(adds in adds(1), bytes in 0u64..300) {
        let chains = chains(&adds);
        let kept = pruned(&chains, &Limits::default().with_keep_bytes(bytes));
        let is_empty = kept.graph().unwrap().is_empty();
        let graph = chains.graph().unwrap();
        let sizes = Selection::newest(&graph).results().map(|(_, result)| {
            let blobs: BTreeSet<_> = result.layers_downwards().map(|layer| (layer.digest, layer.size)).collect();
            blobs.iter().map(|(_, size)| size).sum::<u64>()
        }).collect::<Vec<_>>();
        prop_assert_eq!(is_empty, sizes.iter().all(|size| *size > bytes));
    }

    /// Law: without limits, a cache whose records all have results stays as it is.
    #[test]
    fn pruning_without_limits_is_the_identity(adds in adds(1)) {
        let before = chains(&adds);
        prop_assert_eq!(config(&pruned(&before, &Limits::default())), config(&before));
    }

    /// Law: repairing leaves no bad blob, and changes nothing where no blob is bad.
    #[test]
    fn repairing_leaves_no_bad_blob(adds in adds(0), bad in prop::collection::btree_set(0u8..8, 0..3)) {
        let before = chains(&adds);
        let graph = before.graph().unwrap();
        let is_bad = |digest: &Digest| bad.contains(&digest.as_bytes()[0]);
        let repaired = keep(&Selection::complete(&graph, &is_bad)).unwrap();
        prop_assert!(!repaired.blobs().any(|blob| is_bad(&blob.digest)));
        let healthy = pruned(&before, &Limits::default());
        prop_assert_eq!(config(&keep(&Selection::complete(&graph, &|_| false)).unwrap()), config(&healthy));
    }

    /// Law: a cache does not differ from itself, and in the other direction the same differs.
    #[test]
    fn comparing_is_symmetric(a in adds(0), b in adds(0)) {
        let (a, b) = (chains(&a), chains(&b));
        let same = diff(&a, &a).unwrap();
        prop_assert!(same.is_empty());
        prop_assert!(same.records.iter().all(|row| ["same", "none"].contains(&row.change.name())));
        let (there, back) = (diff(&a, &b).unwrap(), diff(&b, &a).unwrap());
        prop_assert_eq!(there.records.len(), back.records.len());
        for (x, y) in there.records.iter().zip(&back.records) {
            prop_assert_eq!((&x.digest, x.a, x.b), (&y.digest, y.b, y.a));
        }
        prop_assert_eq!((there.only_a, there.only_b, there.both), (back.only_b, back.only_a, back.both));
    }
}
