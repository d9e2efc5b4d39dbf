//! The layers of a step: the one that it made itself is the top one of its result.

use cache_keys::LayerTree;
use cache_model::{Digest, RecordRef};

use crate::Cache;

/// A layer of a result.
#[derive(Clone, Copy)]
pub(crate) struct StepLayer<'c> {
    pub(crate) digest: Digest,
    /// Its entries, if it was read.
    pub(crate) tree: Option<&'c LayerTree>,
}

impl<'c> StepLayer<'c> {
    /// That of the newest result of some records.
    pub(crate) fn top(cache: &Cache<'c>, records: impl IntoIterator<Item = RecordRef<'c>>) -> Option<Self> {
        Self::stack(cache, records).into_iter().next()
    }

    /// All layers of the newest result of some records, the highest first.
    pub(crate) fn stack(cache: &Cache<'c>, records: impl IntoIterator<Item = RecordRef<'c>>) -> Vec<Self> {
        let results = records.into_iter().filter_map(RecordRef::newest_result);
        let newest = results.max_by(|a, b| a.cmp_by_age(*b));
        let layers = newest.into_iter().flat_map(|result| result.layers_downwards());
        let layers =
            layers.map(|layer| Self { digest: layer.digest, tree: cache.layers().get(&layer.digest) });
        layers.collect()
    }
}
