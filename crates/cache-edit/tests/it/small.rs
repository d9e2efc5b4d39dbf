//! Small caches, a line for each record.

use std::collections::HashMap;

use cache_model::{
    CacheChains, CacheConfig, Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, RecordId, Rule,
    Timestamp,
};

/// A cache in the making.
pub(crate) struct Small {
    chains: CacheChains,
    ids: HashMap<String, RecordId>,
    layers: HashMap<String, Descriptor>,
}

impl Small {
    pub(crate) fn new() -> Self {
        Self { chains: CacheChains::new(), ids: HashMap::new(), layers: HashMap::new() }
    }

    /// Says what is known of a layer. Other layers have 10 bytes.
    pub(crate) fn layer(mut self, layer: Descriptor) -> Self {
        let name = layer.annotations.get("name").unwrap().to_owned();
        self.layers.insert(name, layer);
        self
    }

    /// Adds a record with an input for each source, or for each list of alternative sources such as `a|b`. It has a result
    /// if a day is given: a day of November 2026 and the names of the layers, lowest first.
    pub(crate) fn record(mut self, name: &str, sources: &[&str], result: Option<(u8, &[&str])>) -> Self {
        let links = |names: &&str| names.split('|').map(|name| Link::new(self.ids[name], "")).collect();
        let links: Vec<Vec<Link<'_>>> = sources.iter().map(links).collect();
        let inputs: Vec<&[Link<'_>]> = links.iter().map(Vec::as_slice).collect();
        let result = result.map(|(day, layers)| {
            let layers: Vec<Descriptor> = layers
                .iter()
                .map(|name| self.layers.get(*name).cloned().unwrap_or_else(|| layer(name, 10)))
                .collect();
            NewResult::new(self.chains.layers(&layers).unwrap(), november(day))
        });
        let id = self.chains.add(&name.into(), &inputs, result.as_slice()).unwrap().unwrap();
        self.ids.insert(name.to_owned(), id);
        self
    }

    /// The chains, by the closed rule.
    pub(crate) fn chains(mut self) -> CacheChains {
        self.chains.set_rule(Rule::Closed);
        self.chains
    }
}

/// A layer with this name and size in bytes.
pub(crate) fn layer(name: &str, size: u64) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER_GZIP, blob(name), size).with_annotation("name", name)
}

/// The blob of a layer.
pub(crate) fn blob(name: &str) -> Digest {
    Digest::of(name)
}

/// Midnight of a day of November 2026.
pub(crate) fn november(day: u8) -> Timestamp {
    format!("2026-11-{day:02}T00:00:00Z").parse().unwrap()
}

pub(crate) fn names<'d>(digests: impl IntoIterator<Item = &'d RecordDigest>) -> Vec<String> {
    digests.into_iter().map(ToString::to_string).collect()
}

/// The config of chains, each record in a line: its digest, its sources, and the names of its layers or the first digits
/// of their digests.
pub(crate) fn shown(chains: &CacheChains) -> Vec<String> {
    let marshalled = chains.marshal(&|_| true).unwrap();
    let config = &marshalled.config;
    let layer_name = |position: i32| {
        let digest = config.layers()[usize::try_from(position).unwrap()].blob.unwrap();
        let descriptor = marshalled.descriptors.iter().find(|layer| layer.digest == digest).unwrap();
        descriptor.annotations.get("name").unwrap().to_owned()
    };
    let record = |record: cache_model::ConfigRecord<'_>| {
        let source = |link: cache_model::ConfigLink<'_>| {
            config.record(usize::try_from(link.record).unwrap()).unwrap().digest().to_string()
        };
        let sources: Vec<String> = record.inputs().flatten().map(source).collect();
        let mut layers = Vec::new();
        for result in record.results() {
            let mut at = result.layer;
            while at >= 0 {
                layers.push(layer_name(at));
                at = config.layers()[usize::try_from(at).unwrap()].parent;
            }
        }
        layers.reverse();
        format!("{} <{}> {}", record.digest(), sources.join(" "), layers.join(" ")).trim_end().to_owned()
    };
    config.records().map(record).collect()
}

/// A size of a config that rises with all that it holds.
pub(crate) fn config_size(config: &CacheConfig) -> u64 {
    let parts =
        10 * config.records_len() + config.links_len() + 5 * config.results_len() + 7 * config.layers().len();
    2 + parts as u64
}
