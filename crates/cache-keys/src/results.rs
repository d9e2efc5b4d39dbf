//! The results of keys, newest first.

use cache_model::{Compression, RecordRef, ResultRef};

use crate::{CacheKeys, KeyId};

/// Which results a solver can use, by the compression of their layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResultFilter {
    /// Every result.
    #[default]
    Any,
    /// At least one layer has this compression.
    SomeLayer(Compression),
    /// The result has layers, and all of them have this compression.
    EveryLayer(Compression),
}

impl ResultFilter {
    /// Whether a result passes. One without layers passes [`ResultFilter::Any`] only.
    pub fn matches(self, result: ResultRef<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::SomeLayer(compression) => result.has_compression(compression),
            Self::EveryLayer(compression) => result.has_only_compression(compression),
        }
    }
}

impl CacheKeys {
    /// The results of a key that pass the filter, newest first.
    pub fn results(&self, id: &KeyId, filter: ResultFilter) -> impl Iterator<Item = ResultRef<'_>> + use<'_> {
        newest_first(self.records(id).collect(), filter)
    }
}

/// The results of several records that pass the filter, newest first: of equal instants by the lists of blobs, and each
/// once. Of two texts of one instant the smaller is kept.
pub(crate) fn newest_first(
    records: Vec<RecordRef<'_>>,
    filter: ResultFilter,
) -> impl Iterator<Item = ResultRef<'_>> {
    let is_one = records.len() < 2;
    let results = records.into_iter().flat_map(RecordRef::results);
    let fitting = results.filter(move |result| filter.matches(*result));
    // The results of one record are in order.
    let (alone, merged) = if is_one { (Some(fitting), Vec::new()) } else { (None, merge(fitting)) };
    alone.into_iter().flatten().chain(merged)
}

fn merge<'g>(results: impl Iterator<Item = ResultRef<'g>>) -> Vec<ResultRef<'g>> {
    let mut merged: Vec<_> = results.collect();
    merged.sort_by(|a, b| b.cmp_by_age(*a).then_with(|| a.created_at().cmp_with_text(&b.created_at())));
    merged.dedup_by(|a, b| a.cmp_by_age(*b).is_eq());
    merged
}
