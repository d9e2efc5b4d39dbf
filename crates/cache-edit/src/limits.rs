//! What a pruned cache may hold.

use cache_model::Timestamp;

/// The size in bytes of the empty config, `{}`.
pub(crate) const EMPTY_CONFIG: u64 = 2;

/// The limits of a pruned cache. `None` is no limit.
///
/// Without any limit only the records go that lead to no result. Pruning again with the same limit changes nothing. With
/// `older_than` and another limit it can: what is old, and was fresh only because of a result that the other limit dropped,
/// is old the next time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Only results of records that are at least as fresh as this instant are kept.
    pub older_than: Option<Timestamp>,
    /// The blobs of all results have at most this size in bytes together, each blob counted once. The config and the
    /// manifest are not counted.
    pub keep_bytes: Option<u64>,
    /// The config has at most this size in bytes; 2 or more.
    pub fit: Option<u64>,
}

impl Limits {
    /// With only the results of records that are at least as fresh as an instant.
    #[must_use]
    pub fn with_older_than(self, instant: Timestamp) -> Self {
        Self { older_than: Some(instant), ..self }
    }

    /// With blobs of at most this size in bytes together.
    #[must_use]
    pub fn with_keep_bytes(self, bytes: u64) -> Self {
        Self { keep_bytes: Some(bytes), ..self }
    }

    /// With a config of at most this size in bytes.
    #[must_use]
    pub fn with_fit(self, bytes: u64) -> Self {
        Self { fit: Some(bytes), ..self }
    }
}
