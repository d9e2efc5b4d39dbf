//! What a cache holds, in numbers.

use std::fmt;

use cache_model::{Descriptor, Graph, Marshalled, count};

/// What a cache holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records.
    pub records: usize,
    /// Records with a result that has layers.
    pub results: usize,
    /// Distinct blobs of layers.
    pub blobs: usize,
    /// The size of these blobs in bytes, each counted once.
    pub bytes: u64,
}

impl Counts {
    /// What a graph holds. Of several results of a record one counts, as only one can be exported.
    pub fn of(graph: &Graph<'_>) -> Self {
        let has_layers = |record: &cache_model::RecordRef<'_>| record.results().any(|r| r.layers_len() > 0);
        let results = graph.records().filter(has_layers).count();
        Self { records: graph.len(), results, ..Self::of_blobs(graph.blobs()) }
    }

    pub(crate) fn of_marshalled(marshalled: &Marshalled) -> Self {
        let Marshalled { config, descriptors, .. } = marshalled;
        let (records, results) = (config.records_len(), config.results_len());
        Self { records, results, ..Self::of_blobs(descriptors) }
    }

    fn of_blobs<'d>(blobs: impl IntoIterator<Item = &'d Descriptor>) -> Self {
        let mut counts = Self::default();
        for blob in blobs {
            counts.blobs += 1;
            counts.bytes = counts.bytes.saturating_add(blob.size);
        }
        counts
    }
}

impl fmt::Display for Counts {
    /// Without the size: `3 records, 2 results, 4 blobs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [records, results, blobs] = [self.records, self.results, self.blobs].map(|n| n as u64);
        write!(f, "{}, {}, {}", count(records, "record"), count(results, "result"), count(blobs, "blob"))
    }
}
