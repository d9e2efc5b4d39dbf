//! A cache in numbers: counts, sizes, compressions, times.
//!
//! Data only; `summary` and `json` make text of it.

use std::collections::{BTreeMap, HashMap};

use cache_model::{Compression, Descriptor, Digest, Timestamp};

use crate::Cache;
use crate::config_layers::{ConfigLayers, times};

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
    /// The size of all layers in bytes: a blob counts once for each layer that it is used in.
    pub layer_bytes: u64,
    /// The number of distinct blobs that the manifest lists as layers.
    pub blobs: usize,
    /// The size of these blobs in bytes, each counted once.
    pub blob_bytes: u64,
    /// The number of blobs by compression; `None` if the media type does not name it.
    pub compressions: BTreeMap<Option<Compression>, usize>,
}

impl Inspection {
    /// Counts what a cache holds.
    pub fn of(cache: &Cache<'_>) -> Self {
        let config = cache.config;
        let layers = ConfigLayers::of(cache);
        let blobs: HashMap<Digest, &Descriptor> =
            cache.layers.iter().map(|descriptor| (descriptor.digest, descriptor)).collect();
        let mut compressions = BTreeMap::new();
        for blob in blobs.values() {
            *compressions.entry(blob.compression()).or_default() += 1;
        }
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0u64, u64::saturating_add);
        Self {
            records: config.records_len(),
            roots: config.records().filter(|record| record.inputs_len() == 0).count(),
            links: config.links_len(),
            results: config.results_len(),
            oldest: times(config).min(),
            newest: times(config).max(),
            layers: config.layers().len(),
            layer_bytes: sum(&mut config.layers().iter().map(|layer| layers.size(layer))),
            blobs: blobs.len(),
            blob_bytes: sum(&mut blobs.values().map(|blob| blob.size)),
            compressions,
        }
    }
}

/// The size in bytes of everything that a store holds of a cache: blobs, config, and manifest or image manifest.
pub(crate) fn stored_bytes(found: &Inspection, manifest: &Descriptor, cache: &Cache<'_>) -> u64 {
    let root = cache.origin.image().unwrap_or(manifest);
    found.blob_bytes.saturating_add(cache.origin.config().size).saturating_add(root.size)
}

/// The name of a compression; `unknown` for a blob whose media type does not name it.
pub(crate) fn compression_name(compression: Option<Compression>) -> &'static str {
    compression.map_or("unknown", Compression::name)
}
