//! A cache with an index of its records by digest, and those of its layers that were read as trees.

use std::collections::HashMap;

use cache_keys::LayerTree;
use cache_model::{Digest, Graph, RecordDigest, RecordRef, ResultRef};

use crate::work::Work;

/// A cache to ask questions about.
#[derive(Clone)]
pub struct Cache<'a> {
    graph: &'a Graph<'a>,
    layers: &'a HashMap<Digest, LayerTree>,
    records: HashMap<&'a RecordDigest, Vec<RecordRef<'a>>, foldhash::fast::RandomState>,
}

impl<'a> Cache<'a> {
    /// Indexes a cache. `layers` are those of its layers that were read, by the digests of their blobs: none are needed, and
    /// each tells more. Takes time linear in the number of records.
    pub fn new(graph: &'a Graph<'a>, layers: &'a HashMap<Digest, LayerTree>) -> Self {
        let mut records: HashMap<_, Vec<_>, _> = HashMap::default();
        for record in graph.records() {
            records.entry(record.digest()).or_default().push(record);
        }
        Self { graph, layers, records }
    }

    /// The records and their links.
    pub fn graph(&self) -> &'a Graph<'a> {
        self.graph
    }

    /// The layers that were read, by the digests of their blobs.
    pub fn layers(&self) -> &'a HashMap<Digest, LayerTree> {
        self.layers
    }

    /// The records with a digest, in the order of the graph.
    pub fn records(&self, digest: &RecordDigest) -> &[RecordRef<'a>] {
        self.records.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The records with one of several digests, in the order of the graph; none if that is more work than is left.
    pub(crate) fn records_of(&self, digests: &[RecordDigest], work: &mut Work) -> Vec<RecordRef<'a>> {
        let found = || digests.iter().flat_map(|digest| self.records(digest));
        if !work.take(found().count()) {
            return Vec::new();
        }
        let mut records: Vec<_> = found().copied().collect();
        records.sort_unstable_by_key(|record| record.position());
        records
    }

    /// The blobs of a result's layers, lowest first.
    pub(crate) fn blobs(result: ResultRef<'_>) -> Vec<Digest> {
        result.layers().into_iter().map(|layer| layer.digest).collect()
    }
}

impl std::fmt::Debug for Cache<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("graph", self.graph).finish_non_exhaustive()
    }
}
