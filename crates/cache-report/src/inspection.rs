//! A cache in numbers: counts, sizes, compressions, times.
//!
//! Data only; `summary` and `json` make text of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use cache_model::{Compression, Descriptor, Digest, Graph, RecordRef, ResultRef, Timestamp};

use crate::Cache;

/// A cache in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The number of records.
    pub records: usize,
    /// The number of records without inputs.
    pub roots: usize,
    /// The number of links.
    pub links: usize,
    /// The number of results of all records together.
    pub results: usize,
    /// The time of the oldest result; `None` if no result has a time.
    pub oldest: Option<Timestamp>,
    /// The time of the newest result; `None` if no result has a time.
    pub newest: Option<Timestamp>,
    /// The number of layers in the config. The same blob on another parent is another layer.
    pub layers: usize,
    /// The number of distinct blobs of these layers.
    pub blobs: usize,
    /// The size of these blobs in bytes, each counted once: what a store holds besides metadata.
    pub stored_bytes: u64,
    /// The size of all layers in bytes: a blob counts once for each layer that it is used in.
    pub layer_bytes: u64,
    /// The number of blobs by compression; `None` if the media type does not name it.
    pub compressions: BTreeMap<Option<Compression>, usize>,
}

impl Inspection {
    /// Counts what a cache holds.
    pub fn of(cache: &Cache<'_>) -> Self {
        let graph = cache.graph;
        let by_digest: HashMap<Digest, &Descriptor> =
            cache.layers.iter().map(|descriptor| (descriptor.digest, descriptor)).collect();
        let mut seen = HashSet::new();
        let mut found = Self {
            records: graph.len(),
            links: graph.links_len(),
            layers: cache.config.layers().len(),
            ..Self::default()
        };
        for layer in cache.config.layers() {
            let Some(descriptor) = layer.blob.and_then(|blob| by_digest.get(&blob)) else { continue };
            found.layer_bytes = found.layer_bytes.saturating_add(descriptor.size);
            if seen.insert(descriptor.digest) {
                found.blobs += 1;
                found.stored_bytes = found.stored_bytes.saturating_add(descriptor.size);
                *found.compressions.entry(descriptor.compression()).or_default() += 1;
            }
        }
        for record in graph.records() {
            found.roots += usize::from(record.inputs_len() == 0);
            found.results += record.results().count();
        }
        found.oldest = times(graph).min();
        found.newest = times(graph).max();
        found
    }
}

/// The times of all results. A result of an inline cache has none.
pub(crate) fn times<'g>(graph: &'g Graph<'_>) -> impl Iterator<Item = Timestamp> + 'g {
    let results = graph.records().flat_map(RecordRef::results);
    results.map(ResultRef::created_at).filter(|time| !time.is_zero())
}

/// The name of a compression; `unknown` for a blob whose media type does not name it.
pub(crate) fn compression_name(compression: Option<Compression>) -> &'static str {
    compression.map_or("unknown", Compression::name)
}
