//! What there is to say of an imported cache: counts, sizes, compressions, times.
//!
//! Pure: it looks at what was imported, and reads nothing more.

use std::collections::{BTreeMap, HashMap, HashSet};

use cache_model::{Compression, Descriptor, Digest, Graph, Timestamp};

use crate::ImportedCache;

/// A cache in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// How many records there are.
    pub records: usize,
    /// How many of them depend on nothing.
    pub roots: usize,
    /// How many links there are.
    pub links: usize,
    /// How many results there are, of all records.
    pub results: usize,
    /// When the oldest result was made; `None` without results that say.
    pub oldest: Option<Timestamp>,
    /// When the newest result was made.
    pub newest: Option<Timestamp>,
    /// How many layers the config has: the same blob on another parent is another layer.
    pub layers: usize,
    /// How many distinct blobs these layers have.
    pub blobs: usize,
    /// The size of these blobs in bytes, each counted once: what the store holds, less the metadata.
    pub stored_bytes: u64,
    /// The size in bytes of all layers, a blob counted each time it stands in one.
    pub layer_bytes: u64,
    /// How many blobs there are of each compression; `None` for those whose media type does not say.
    pub compressions: BTreeMap<Option<Compression>, usize>,
}

impl Inspection {
    /// Counts.
    pub fn of(cache: &ImportedCache, graph: &Graph<'_>) -> Self {
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
            for result in record.results() {
                found.results += 1;
                // An inline cache's listed results have no time of their own.
                let time = Some(result.created_at()).filter(|time| !time.is_zero());
                found.oldest = found.oldest.into_iter().chain(time).min();
                found.newest = found.newest.into_iter().chain(time).max();
            }
        }
        found
    }
}
