//! The laws of the graph, on random scripts of adds.
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

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cache_model::{
    CacheChains, CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Graph, Link, NewResult,
    RecordDigest, RecordId, Rule, Timestamp,
};
use proptest::prelude::*;
use reference::Reference;
use support::{Add, Kind, add_in_order, again, chains, closed, descriptor, marshal, script, shuffled, text};

const APART: Kind = Kind { digests: 0, inputs: 3, inputs_by_digest: false, selectors: 3, len: 24 };
const OVERLAPPING: Kind = Kind { digests: 4, inputs: 2, inputs_by_digest: false, selectors: 3, len: 16 };
/// Few digests and one input, so that nearly every add merges records.
const TANGLED: Kind = Kind { digests: 2, inputs: 1, inputs_by_digest: false, selectors: 1, len: 14 };
const OVERLAPPING_ALIKE: Kind = Kind { digests: 5, inputs: 2, inputs_by_digest: true, selectors: 3, len: 16 };

/// Scripts in which adds share digests but never join: an add that would join another gets a digest of its own.
fn apart_with_shared_digests() -> impl Strategy<Value = Vec<Add>> {
    script(OVERLAPPING).prop_map(|script| {
        let mut apart: Vec<Add> = Vec::new();
        for (n, add) in script.into_iter().enumerate() {
            apart.push(add);
            let is_apart = |script: &[Add]| {
                let chains = chains(script);
                chains.graph().unwrap().len() == script.len()
                    && closed(&chains).graph().unwrap().len() == script.len()
            };
            // In another order a record with more inputs may come first and then take in one with fewer.
            let alike =
                |other: &Add| other.digest == apart[n].digest && other.inputs.len() != apart[n].inputs.len();
            if !is_apart(&apart) || apart.iter().take(n).any(alike) {
                apart[n].digest = format!("own {n}");
            }
        }
        apart
    })
}

fn reordered(script: &[Add], priorities: &[u32]) -> CacheChains {
    let (mixed, order) = shuffled(script, priorities);
    let mut chains = CacheChains::new();
    add_in_order(&mut chains, &mixed, &order);
    chains
}

fn united(parts: &[&CacheChains]) -> CacheChains {
    let mut all = CacheChains::new();
    for part in parts {
        all.unite(part).unwrap();
    }
    all
}

/// The chains after marshalling their closed graph and loading the config.
fn reloaded(chains: &CacheChains) -> CacheChains {
    let marshalled = marshal(&closed(chains));
    CacheChains::from_config(&marshalled.config, &marshalled.descriptors).unwrap().chains
}

fn closed_text(chains: &CacheChains) -> String {
    text(&marshal(&closed(chains)).config)
}

/// The digest and the links of each record. The first add of a record names it, also in links.
type Meaning = BTreeMap<usize, (String, Vec<BTreeSet<(usize, String)>>)>;

/// The reference after adding a script.
pub fn reference_of<'s>(script: &'s [Add]) -> Reference<'s> {
    let mut reference = Reference::default();
    for add in script {
        let links = |links: &'s Vec<(usize, String)>| -> Vec<reference::Link<'s>> {
            links.iter().map(|(source, selector)| (*source, selector.as_str())).collect()
        };
        let inputs = add.inputs.iter().map(links).collect();
        reference.add(&reference::Add { digest: &add.digest, inputs, results: Vec::new() }).unwrap();
    }
    reference
}

/// The meaning of the reference's records, without the records that are left out.
fn expected(mut records: reference::Records<'_>) -> Meaning {
    reference::leave_out(&mut records);
    let owned = |links: BTreeSet<(usize, &str)>| {
        links.into_iter().map(|(source, selector)| (source, selector.to_owned())).collect()
    };
    let records = records.into_iter();
    records
        .map(|(at, record)| (at, (record.digest.to_owned(), record.inputs.into_iter().map(owned).collect())))
        .collect()
}

/// The meaning of a graph, and for each add the first add of its record.
fn meaning(graph: &Graph<'_>, ids: &[RecordId]) -> (Meaning, Vec<Option<usize>>) {
    let mut first = BTreeMap::new();
    for (n, id) in ids.iter().enumerate() {
        if let Some(record) = graph.record(*id) {
            first.entry(record.position()).or_insert(n);
        }
    }
    let links = |input: &mut dyn Iterator<Item = cache_model::LinkRef<'_>>| -> BTreeSet<(usize, String)> {
        input.map(|link| (first[&link.source.position()], link.selector.to_owned())).collect()
    };
    let meaning = graph.records().map(|record| {
        let inputs = record.inputs().map(|mut input| links(&mut input)).collect();
        (first[&record.position()], (record.digest().to_string(), inputs))
    });
    let firsts = ids.iter().map(|id| graph.record(*id).map(|record| first[&record.position()]));
    (meaning.collect(), firsts.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Law: if no records overlap, marshalling does not depend on the order of the adds (sources first), of links, or of
    /// results.
    #[test]
    fn marshal_does_not_depend_on_the_order(script in script(APART), priorities: [u32; 8]) {
        let first = marshal(&chains(&script));
        let second = marshal(&reordered(&script, &priorities));
        prop_assert_eq!(text(&first.config), text(&second.config));
        prop_assert_eq!(first.descriptors, second.descriptors);
    }

    /// Law: if records share digests but do not overlap, so that only their links differ, marshalling does not depend on
    /// the order either.
    #[test]
    fn marshal_does_not_depend_on_the_order_of_records_with_one_digest(
        script in apart_with_shared_digests(), priorities: [u32; 8],
    ) {
        let first = chains(&script);
        let second = reordered(&script, &priorities);
        prop_assert_eq!(text(&marshal(&first).config), text(&marshal(&second).config));
        prop_assert_eq!(text(&marshal(&first).config), closed_text(&first));
    }

    /// Law: a closed graph never depends on the order of the adds.
    #[test]
    fn a_closed_graph_does_not_depend_on_the_order(script in script(OVERLAPPING), priorities: [u32; 8]) {
        let first = marshal(&closed(&chains(&script)));
        let reordered = reordered(&script, &priorities);
        let second = marshal(&closed(&reordered));
        prop_assert_eq!(text(&first.config), text(&second.config));
        prop_assert_eq!(first.descriptors, second.descriptors);
        prop_assert_eq!(first.warnings, second.warnings);
    }

    /// Law: a graph by the closed rule is that of the reference.
    #[test]
    fn the_closed_rule_gives_the_graph_of_the_reference(script in script(OVERLAPPING)) {
        let mut chains = CacheChains::new();
        let ids = add_in_order(&mut chains, &script, &(0..script.len()).collect::<Vec<_>>());
        chains.set_rule(Rule::Closed);
        let (found, _) = meaning(&chains.graph().unwrap(), &ids);
        prop_assert_eq!(found, expected(reference_of(&script).closed()));
    }

    /// Law: a graph by BuildKit's rule is that of the reference, in the adds of each record and in every link.
    #[test]
    fn buildkits_rule_gives_the_graph_of_the_reference(script in prop_oneof![script(OVERLAPPING), script(TANGLED)]) {
        let mut chains = CacheChains::new();
        let ids = add_in_order(&mut chains, &script, &(0..script.len()).collect::<Vec<_>>());
        let (found, firsts) = meaning(&chains.graph().unwrap(), &ids);
        let reference = reference_of(&script);
        let kept = expected(reference.by_order());
        for (n, first) in firsts.into_iter().enumerate() {
            prop_assert_eq!(first, reference.record_of(n).filter(|record| kept.contains_key(record)));
        }
        prop_assert_eq!(found, kept);
    }

    /// Law: closing is idempotent: the marshalled config of a closed graph, read closed, marshals to itself.
    #[test]
    fn closing_is_idempotent(script in script(OVERLAPPING)) {
        let closed = marshal(&closed(&chains(&script)));
        prop_assert_eq!(text(&again(&closed, true)), text(&closed.config));
    }

    /// Law: if each digest has one number of inputs, the marshalled config of a closed graph, read by BuildKit's rule,
    /// marshals to itself.
    #[test]
    fn a_closed_graph_is_a_fixed_point(script in script(OVERLAPPING_ALIKE)) {
        let closed = marshal(&closed(&chains(&script)));
        prop_assert_eq!(text(&again(&closed, false)), text(&closed.config));
    }

    /// Law: if no records overlap, both rules give the same graph.
    #[test]
    fn closing_changes_nothing_where_nothing_overlaps(script in script(APART)) {
        let chains = chains(&script);
        prop_assert_eq!(text(&marshal(&chains).config), closed_text(&chains));
    }

    /// Law: uniting and closing is commutative, associative and idempotent.
    #[test]
    fn uniting_and_closing_is_a_semilattice(
        a in script(OVERLAPPING), b in script(OVERLAPPING), c in script(OVERLAPPING),
    ) {
        let (a, b, c) = (chains(&a), chains(&b), chains(&c));
        prop_assert_eq!(closed_text(&united(&[&a, &b])), closed_text(&united(&[&b, &a])));
        prop_assert_eq!(closed_text(&united(&[&a, &a])), closed_text(&a));
        let left = united(&[&united(&[&a, &b]), &c]);
        let right = united(&[&a, &united(&[&b, &c])]);
        prop_assert_eq!(closed_text(&left), closed_text(&right));
    }

    /// Law: uniting caches that were marshalled in between is commutative and idempotent. It is not associative, since a
    /// marshalled cache lacks the links that closed cycles.
    #[test]
    fn uniting_marshalled_caches_is_commutative_and_idempotent(a in script(OVERLAPPING), b in script(OVERLAPPING)) {
        let (a, b) = (reloaded(&chains(&a)), reloaded(&chains(&b)));
        prop_assert_eq!(closed_text(&united(&[&a, &b])), closed_text(&united(&[&b, &a])));
        prop_assert_eq!(closed_text(&united(&[&a, &a])), closed_text(&a));
    }

    /// Law: the records in the order of the config are those of the config, with their links.
    #[test]
    fn records_in_config_order_are_those_of_the_config(script in script(OVERLAPPING), is_closed: bool) {
        let chains = if is_closed { closed(&chains(&script)) } else { chains(&script) };
        let graph = chains.graph().unwrap();
        let records = graph.records_in_config_order();
        let mut places = vec![0; graph.len()];
        for (place, record) in records.iter().enumerate() {
            places[record.position()] = place as i32;
        }
        let config = graph.marshal(&|_| true).config;
        prop_assert_eq!(records.len(), config.records_len());
        for (record, written) in records.iter().zip(config.records()) {
            prop_assert_eq!(record.digest(), written.digest());
            let links = record.inputs().map(|links| {
                links.map(|link| (places[link.source.position()], link.selector)).collect::<BTreeSet<_>>()
            });
            let written = written.inputs().map(|links| links.map(|link| (link.record, link.selector)).collect());
            prop_assert_eq!(links.collect::<Vec<_>>(), written.collect::<Vec<BTreeSet<_>>>());
        }
    }

    /// Law: every id stays valid: it leads to a record with its digest, unless that record was left out.
    #[test]
    fn ids_stay_valid_when_records_merge(script in script(OVERLAPPING)) {
        let mut chains = CacheChains::new();
        let ids = add_in_order(&mut chains, &script, &(0..script.len()).collect::<Vec<_>>());
        for chains in [closed(&chains), chains] {
            let graph = chains.graph().unwrap();
            for (add, id) in script.iter().zip(&ids) {
                match graph.record(*id) {
                    Some(record) => {
                        prop_assert_eq!(record.digest(), &RecordDigest::new(&add.digest));
                        prop_assert!(record.inputs_len() >= add.inputs.len());
                    }
                    None => prop_assert!(graph.left_out().any(|digest| digest == &RecordDigest::new(&add.digest))),
                }
            }
        }
    }

    /// Law: if blobs are absent, no exported layer is, and each record has its newest complete result.
    #[test]
    fn nothing_absent_is_exported(script in script(APART), absent in 0u8..5) {
        let chains = chains(&script);
        let present = |digest: &cache_model::Digest| *digest != support::blob(absent);
        let marshalled = chains.marshal(&present).unwrap();
        prop_assert!(marshalled.config.layers().iter().all(|layer| present(&layer.blob.unwrap())));
        let graph = chains.graph().unwrap();
        for record in marshalled.config.records() {
            let ours = graph.records().find(|ours| ours.digest() == record.digest()).unwrap();
            let newest = ours
                .results()
                .take_while(|result| result.layers_len() > 0)
                .find(|result| result.layers_downwards().all(|layer| present(&layer.digest)));
            prop_assert_eq!(
                record.results().first().map(|result| result.created_at.to_string()),
                newest.map(|result| result.created_at().to_string())
            );
        }
    }
}

/// A config with any indices, most of them in range or nearly so.
fn wild_config() -> impl Strategy<Value = CacheConfig> {
    let index = || prop_oneof![8 => -1i32..6, 1 => any::<i32>(), 1 => Just(i32::MIN), 1 => Just(i32::MAX)];
    let layer = (0u8..4, index());
    let digest = prop_oneof![4 => "[a-c]", 1 => Just("random:x".to_owned()), 1 => Just(String::new())];
    let link = (index(), prop_oneof![Just(""), Just("s")]);
    let record = (
        digest,
        prop::collection::vec((index(), -3i64..3), 0..3),
        prop::collection::vec(prop::collection::vec(index(), 0..3), 0..2),
        prop::collection::vec(prop::collection::vec(link, 0..3), 0..3),
    );
    (prop::collection::vec(layer, 0..6), prop::collection::vec(record, 0..6)).prop_map(|(layers, records)| {
        let mut builder = CacheConfigBuilder::new();
        for (blob, parent) in layers {
            let blob = Some(support::blob(blob)).filter(|_| parent != 3);
            builder.layer(ConfigLayer { blob, parent, annotations: None });
        }
        for (digest, results, chains, inputs) in records {
            let mut record = builder.record(RecordDigest::new(&digest));
            for (layer, seconds) in results {
                record.result(ConfigResult::new(layer, support::time(seconds, 0)));
            }
            for layers in &chains {
                record.chain(layers, Timestamp::ZERO);
            }
            for links in inputs {
                let mut input = record.input();
                for (source, selector) in links {
                    input.link(selector, source);
                }
            }
        }
        builder.finish()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Law: no config makes loading panic. It is refused, or it is loaded and the config that it marshals to loads again.
    #[test]
    fn any_config_is_refused_or_loaded(config in wild_config()) {
        let descriptors = [descriptor(0, 0), descriptor(1, 0), descriptor(2, 0)];
        match CacheChains::from_config(&config, &descriptors) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(loaded) => {
                loaded.dropped.iter().for_each(|dropped| assert!(!dropped.to_string().is_empty()));
                again(&marshal(&loaded.chains), false);
                again(&marshal(&closed(&loaded.chains)), true);
            }
        }
    }
}

#[test]
fn a_million_records_deep_needs_no_stack() {
    let run = || {
        let mut chains = CacheChains::new();
        let mut last = None;
        let mut layer = None;
        for n in 0..1_000_000u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
            let mut results = Vec::new();
            if n % 16 == 0 {
                let mut of = descriptor(0, 0);
                of.digest = cache_model::Digest::sha256(bytes);
                layer = Some(chains.layer(layer, &of).unwrap());
                results.push(NewResult { created_at: Timestamp::ZERO, layer });
            }
            let links = last.map(|source| [Link { source, selector: "" }]);
            let inputs: Vec<&[Link<'_>]> = links.iter().map(|links| links.as_slice()).collect();
            last = chains.add(&RecordDigest::sha256(bytes), &inputs, &results).unwrap();
        }
        let first = marshal(&chains);
        let loaded = CacheChains::from_config(&first.config, &first.descriptors).unwrap().chains;
        // The same records a second time: each overlaps its first.
        let mut twice = loaded.clone();
        twice.unite(&loaded).unwrap();
        twice.set_rule(Rule::BuildKit);
        let second = marshal(&twice);
        assert!(first.config == second.config);
        assert!(first.config == marshal(&closed(&twice)).config);
        assert_eq!(first.config.records_len(), 1_000_000);
        assert_eq!(first.config.layers().len(), 62_500);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_merge_drops_the_links_of_the_younger_record_also_where_that_has_more_of_them() {
    // First the older x depends on y, and y on the younger x; then the younger depends on y, and y on the older.
    let dependents = |of: usize| (0..4).map(move |n| Add::new(&format!("d{n}"), &[&[(of, "")]]));
    let roots = [
        Add::new("r1", &[]),
        Add::new("r2", &[]),
        Add::new("x", &[&[(0, "")]]),
        Add::new("x", &[&[(1, "")]]),
    ];
    let mut younger_below = roots.to_vec();
    younger_below.extend(dependents(3));
    younger_below.push(Add::new("y", &[&[(3, "")]]));
    younger_below.push(Add::new("x", &[&[(0, ""), (8, "")]]));
    younger_below.push(Add::new("x", &[&[(0, ""), (1, "")]]));
    let mut older_below = roots.to_vec();
    older_below.extend(dependents(3));
    older_below.push(Add::new("y", &[&[(2, "")]]));
    older_below.push(Add::new("x", &[&[(1, ""), (8, "")]]));
    older_below.push(Add::new("x", &[&[(0, ""), (1, "")]]));
    for (script, records) in [(younger_below, 7), (older_below, 8)] {
        let chains = chains(&script);
        assert_eq!(chains.graph().unwrap().len(), records);
        let mut expected = reference_of(&script).by_order();
        reference::leave_out(&mut expected);
        assert_eq!(expected.len(), records);
    }
}
