//! What a cache holds, in numbers.

use std::fmt;

use crate::graph::Graph;
use crate::marshal::Marshalled;
use crate::{Descriptor, count};

/// What a cache holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many records.
    pub records: usize,
    /// How many results with layers; at most one a record.
    pub results: usize,
    /// How many distinct blobs of layers.
    pub blobs: usize,
    /// The size of these blobs in bytes, each counted once.
    pub bytes: u64,
}

impl Totals {
    /// What a graph holds. Of several results of a record one counts, as only one can be exported.
    pub fn of_graph(graph: &Graph<'_>) -> Self {
        let results = graph.records().filter(|record| record.results().any(|result| result.layers_len() > 0));
        Self { records: graph.len(), results: results.count(), ..Self::of_blobs(graph.blobs()) }
    }

    /// What a marshalled config holds.
    pub fn of_marshalled(marshalled: &Marshalled) -> Self {
        let Marshalled { config, descriptors, .. } = marshalled;
        let (records, results) = (config.records_len(), config.results_len());
        Self { records, results, ..Self::of_blobs(descriptors) }
    }

    fn of_blobs<'d>(blobs: impl IntoIterator<Item = &'d Descriptor>) -> Self {
        let mut totals = Self::default();
        for blob in blobs {
            totals.blobs += 1;
            totals.bytes = totals.bytes.saturating_add(blob.size);
        }
        totals
    }
}

impl fmt::Display for Totals {
    /// Without the size, as in `3 records, 2 results, 4 blobs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [records, results, blobs] = [self.records, self.results, self.blobs].map(|number| number as u64);
        write!(f, "{}, {}, {}", count(records, "record"), count(results, "result"), count(blobs, "blob"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CacheChains, MediaType, NewResult, Timestamp};

    #[test]
    fn a_blob_counts_once_and_of_several_results_of_a_record_one() {
        let [a, b, c] = ["a", "bb", "ccc"].map(|text| Descriptor::of(MediaType::OCI_LAYER_TAR, text));
        let mut chains = CacheChains::new();
        let lists: [&[&Descriptor]; 3] = [&[&a, &b], &[&a, &c], &[]];
        let results =
            lists.map(|list| NewResult::new(chains.layers(list.iter().copied()).unwrap(), Timestamp::ZERO));
        chains.add(&"both".into(), &[], &results[..2]).unwrap();
        chains.add(&"no layers".into(), &[], &results[2..]).unwrap();
        let graph = Totals::of_graph(&chains.graph().unwrap());
        assert_eq!(graph, Totals { records: 2, results: 1, blobs: 3, bytes: 6 });
        let marshalled = Totals::of_marshalled(&chains.marshal(&|_| true).unwrap());
        assert_eq!(marshalled, Totals { records: 2, results: 1, blobs: 2, bytes: 4 });
        assert_eq!(marshalled.to_string(), "2 records, 1 result, 2 blobs");
    }
}
