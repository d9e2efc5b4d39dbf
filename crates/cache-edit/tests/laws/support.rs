//! Random caches, read by the model and by the reference.

use std::collections::BTreeMap;

use cache_edit::{Coherence, EditError, MergeOptions, Merged, Prefer, Source, merge};
use cache_format::{decode_config, decode_record_line, encode_config};
use cache_model::{CacheChains, Descriptor, Graph, Marshalled, RecordDigest};
use proptest::prelude::*;
use reference::{Dice, Exported, World, hostile_sources};

/// The sources of a simulated build or hostile ones.
pub(crate) fn sources() -> impl Strategy<Value = Vec<Exported>> {
    prop_oneof![worlds().prop_map(|world| world.caches()), hostile()]
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    any::<u64>().prop_map(|seed| World::random(&mut Dice::seeded(seed)))
}

pub(crate) fn hostile() -> impl Strategy<Value = Vec<Exported>> {
    let few = prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| Dice::of_bytes(&bytes));
    prop_oneof![few, any::<u64>().prop_map(Dice::seeded)].prop_map(|mut dice| hostile_sources(&mut dice))
}

/// The three ways of merging.
pub(crate) fn options() -> impl Strategy<Value = MergeOptions> {
    let options = |coherence, prefer| MergeOptions::default().with_coherence(coherence).with_prefer(prefer);
    prop_oneof![
        Just(options(Coherence::Coherent, Prefer::Newest)),
        Just(options(Coherence::Coherent, Prefer::First)),
        Just(options(Coherence::KeepAll, Prefer::Newest)),
    ]
}

/// The same options for the reference.
pub(crate) fn of_reference(options: MergeOptions) -> reference::MergeOptions {
    reference::MergeOptions {
        keep_all: options.coherence == Coherence::KeepAll,
        prefer_first: options.prefer == Prefer::First,
    }
}

pub(crate) fn load(cache: &Exported) -> CacheChains {
    let config = decode_config(cache.config.as_bytes()).unwrap();
    let descriptors: Vec<Descriptor> = cache.descriptors.iter().map(|text| descriptor(text)).collect();
    CacheChains::from_config(&config, &descriptors).unwrap().chains
}

/// Reads the JSON text of a descriptor, as a layer of a record line.
pub(crate) fn descriptor(text: &str) -> Descriptor {
    let line =
        format!(r#"{{"digest":"x","results":[{{"createdAt":"2026-01-01T00:00:00Z","layers":[{text}]}}]}}"#);
    decode_record_line(line.as_bytes()).unwrap().results.swap_remove(0).layers.swap_remove(0)
}

pub(crate) fn load_all(caches: &[Exported]) -> Vec<CacheChains> {
    caches.iter().map(load).collect()
}

/// The same caches, read by the reference.
pub(crate) fn read_all(caches: &[Exported]) -> Vec<reference::Cache> {
    caches.iter().map(|cache| reference::Cache::read(&cache.config, &cache.descriptors).unwrap()).collect()
}

/// Merges caches; `None` if they disagree about the size of a blob.
pub(crate) fn merged<'c>(
    chains: impl IntoIterator<Item = &'c CacheChains>,
    options: MergeOptions,
) -> Option<Merged> {
    let sources: Vec<Source<'_>> = chains.into_iter().map(Source::new).collect();
    match merge(&sources, options) {
        Ok(merged) => Some(merged),
        Err(EditError::SizeConflict { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// A graph as it is written.
pub(crate) fn written(graph: &Graph<'_>) -> Exported {
    let Marshalled { config, descriptors, .. } = graph.marshal(&|_| true);
    Exported {
        config: String::from_utf8(encode_config(&config)).unwrap(),
        descriptors: descriptors.iter().map(|d| String::from_utf8(d.json()).unwrap()).collect(),
    }
}

pub(crate) fn written_chains(chains: &CacheChains) -> Exported {
    written(&chains.graph().unwrap())
}

/// Whether the records of each digest have the same number of inputs.
pub(crate) fn has_one_number_of_inputs(graph: &Graph<'_>) -> bool {
    let mut numbers: BTreeMap<&RecordDigest, usize> = BTreeMap::new();
    graph.records().all(|record| {
        let inputs = record.inputs_len();
        *numbers.entry(record.digest()).or_insert(inputs) == inputs
    })
}
