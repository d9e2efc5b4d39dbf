//! The layer that a step itself made: the top one of its result.

use cache_keys::LayerTree;
use cache_model::{Digest, RecordRef};

use crate::Cache;

/// The top layer of a result.
#[derive(Clone, Copy)]
pub(crate) struct TopLayer<'c> {
    pub(crate) digest: Digest,
    /// Its entries, if it was read.
    pub(crate) tree: Option<&'c LayerTree>,
}

impl<'c> TopLayer<'c> {
    /// That of the newest result of some records.
    pub(crate) fn of(cache: &Cache<'c>, records: impl IntoIterator<Item = RecordRef<'c>>) -> Option<Self> {
        let results = records.into_iter().filter_map(RecordRef::newest_result);
        let newest = results.max_by(|a, b| a.cmp_by_age(*b))?;
        let digest = newest.top()?.descriptor().digest;
        Some(Self { digest, tree: cache.layers().get(&digest) })
    }
}
