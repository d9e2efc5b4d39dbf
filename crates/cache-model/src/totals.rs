//! What a cache holds, in numbers.

use std::collections::HashSet;
use std::fmt;

use foldhash::fast::RandomState;

use crate::graph::{Graph, RecordRef, ResultRef};
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
    /// What a graph holds. Of the results of a record the newest counts, as only one can be exported.
    pub fn of_graph(graph: &Graph<'_>) -> Self {
        Self::of_results(graph.records().map(RecordRef::newest_result))
    }

    /// What records of one graph hold: for each record its result that counts, if it has one.
    pub fn of_results<'g>(records: impl IntoIterator<Item = Option<ResultRef<'g>>>) -> Self {
        let mut totals = Self::default();
        let mut layers: HashSet<usize, RandomState> = HashSet::default();
        let mut blobs: HashSet<usize, RandomState> = HashSet::default();
        for result in records {
            totals.records += 1;
            let mut at = result.and_then(ResultRef::top);
            totals.results += usize::from(at.is_some());
            // Each layer is visited once, however many results share it.
            while let Some(layer) = at.filter(|layer| layers.insert(layer.position())) {
                if blobs.insert(layer.blob_position()) {
                    totals.count_blob(layer.descriptor());
                }
                at = layer.parent();
            }
        }
        totals
    }

    /// What a marshalled config holds.
    pub fn of_marshalled(marshalled: &Marshalled) -> Self {
        let Marshalled { config, descriptors, .. } = marshalled;
        let (records, results) = (config.records_len(), config.results_len());
        let mut totals = Self { records, results, ..Self::default() };
        descriptors.iter().for_each(|blob| totals.count_blob(blob));
        totals
    }

    fn count_blob(&mut self, blob: &Descriptor) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(blob.size);
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
    fn a_blob_counts_once_whatever_its_descriptors_and_of_several_results_of_a_record_the_newest() {
        let [a, b, c] = ["a", "bb", "ccc"].map(|text| Descriptor::of(MediaType::OCI_LAYER_TAR, text));
        let other = a.clone().with_annotation("described", "otherwise");
        let mut chains = CacheChains::new();
        let lists: [&[&Descriptor]; 4] = [&[&a, &b], &[&a, &c], &[&other], &[]];
        let [newest, older, again, empty] = lists.map(|list| chains.layers(list.iter().copied()).unwrap());
        let instant = |text: &str| text.parse::<Timestamp>().unwrap();
        let newest = NewResult::new(newest, instant("2026-01-02T00:00:00Z"));
        let older = NewResult::new(older, instant("2026-01-01T00:00:00Z"));
        let [again, empty] = [again, empty].map(|layer| NewResult::new(layer, Timestamp::ZERO));
        chains.add(&"several".into(), &[], &[older, newest]).unwrap();
        chains.add(&"again".into(), &[], &[again]).unwrap();
        chains.add(&"no layers".into(), &[], &[empty]).unwrap();
        let totals = Totals { records: 3, results: 2, blobs: 2, bytes: 3 };
        assert_eq!(Totals::of_graph(&chains.graph().unwrap()), totals);
        assert_eq!(Totals::of_marshalled(&chains.marshal(&|_| true).unwrap()), totals);
        assert_eq!(totals.to_string(), "3 records, 2 results, 2 blobs");
    }
}
