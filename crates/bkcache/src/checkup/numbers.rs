//! How large and how old all caches behind a name are together.

use std::time::{Duration, UNIX_EPOCH};

use cache_model::{Timestamp, count};
use cache_report::text::{age, seconds, size};
use cache_report::{Cache, Inspection};

/// What the records of all caches behind a name say.
#[derive(Default)]
pub(crate) struct Numbers {
    /// The size of the largest config in bytes.
    pub(super) config: u64,
    pub(super) records: usize,
    pub(super) results: usize,
    pub(super) blobs: usize,
    pub(super) bytes: u64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) newest: Option<Timestamp>,
}

impl Numbers {
    pub(crate) fn of(caches: &[Cache<'_>]) -> Self {
        let mut numbers = Self::default();
        for cache in caches {
            let found = Inspection::of(cache);
            numbers.config = numbers.config.max(cache.origin.config().size);
            numbers.records += found.records;
            numbers.results += found.results;
            numbers.blobs += found.blobs;
            numbers.bytes = numbers.bytes.saturating_add(found.blob_bytes);
            numbers.oldest = numbers.oldest.into_iter().chain(found.oldest).min();
            numbers.newest = numbers.newest.into_iter().chain(found.newest).max();
        }
        numbers
    }

    pub(super) fn records_text(&self) -> String {
        let (records, results) = (self.records as u64, self.results as u64);
        format!("{}, {}", count(records, "record"), count(results, "result"))
    }

    /// How old the results are; `None` if there are none.
    pub(super) fn age_text(&self, now: Timestamp) -> Option<String> {
        let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(now.unix_seconds()).unwrap_or_default());
        let at = |time: Timestamp| format!("{} old ({})", age(time, now), seconds(time));
        Some(format!("newest result {}, oldest {}", at(self.newest?), at(self.oldest?)))
    }

    /// How large the blobs are.
    pub(super) fn size_text(&self) -> String {
        format!("{} in {}", size(self.bytes), count(self.blobs as u64, "blob"))
    }
}
