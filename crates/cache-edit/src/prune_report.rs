//! What a prune drops, and what it keeps although it is old, as data.

use cache_model::{RecordDigest, Timestamp, Totals};

use crate::freshness::{Freshness, instant, mark};
use crate::new_bytes::NewBytes;
use crate::{Limits, Selection, UsedOn};

/// What a prune did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneReport {
    /// What the cache held, its records without results included.
    pub before: Totals,
    /// What it holds now.
    pub after: Totals,
    /// The results that were dropped, largest first.
    pub dropped: Vec<PrunedResult>,
    /// What is kept although it is older than the limit, oldest first.
    pub old: Vec<KeptOld>,
}

/// A result that was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedResult {
    /// The digest of its record.
    pub record: RecordDigest,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many layers it has.
    pub layers: usize,
    /// The size in bytes of its blobs that no kept result has. Dropped results can share such blobs.
    pub bytes: u64,
}

/// A result that is kept although it is older than the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptOld {
    /// The digest of its record.
    pub record: RecordDigest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it is kept.
    pub reason: KeepReason,
}

/// Why an old result is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// It was of use on this day.
    UsedOn(UsedOn),
    /// A fresh record was made from it.
    NeededBy(RecordDigest),
}

impl PruneReport {
    /// Compares a selection of a graph with the part of it that keeps to some limits.
    pub fn of(before: &Selection<'_>, after: &Selection<'_>, limits: &Limits) -> Self {
        let all = before.graph().records().map(|record| before.result(record));
        Self {
            before: Totals::of_results(all),
            after: after.totals(),
            dropped: dropped(before, after),
            old: old(before, after, limits),
        }
    }
}

fn dropped(before: &Selection<'_>, after: &Selection<'_>) -> Vec<PrunedResult> {
    let mut kept = NewBytes::new(after.graph());
    for top in after.results().filter_map(|(_, result)| result.top()) {
        kept.take(top);
    }
    let gone = before.results().filter(|(record, _)| after.result(*record).is_none());
    let dropped = gone.map(|(record, result)| PrunedResult {
        record: record.digest().clone(),
        created_at: result.created_at(),
        layers: result.layers_len(),
        bytes: result.top().map_or(0, |top| u64::try_from(kept.of(top)).unwrap_or(u64::MAX)),
    });
    let mut dropped: Vec<_> = dropped.collect();
    dropped.sort_by(|a, b| {
        let by_size = b.bytes.cmp(&a.bytes);
        by_size.then_with(|| (&a.record, a.created_at).cmp(&(&b.record, b.created_at)))
    });
    dropped
}

fn old(before: &Selection<'_>, after: &Selection<'_>, limits: &Limits) -> Vec<KeptOld> {
    let Some(limit) = limits.older_than else { return Vec::new() };
    let freshness = Freshness::of(before);
    let old = after.results().filter(|(_, result)| result.created_at() < limit);
    let kept = old.filter_map(|(record, result)| {
        let fresh = freshness.get(record)?;
        let reason = match mark(result).filter(|day| instant(day.last_instant()) == fresh.instant) {
            Some(day) => KeepReason::UsedOn(day),
            None => KeepReason::NeededBy(before.graph().at(fresh.due_to)?.digest().clone()),
        };
        Some(KeptOld { record: record.digest().clone(), created_at: result.created_at(), reason })
    });
    let mut kept: Vec<_> = kept.collect();
    kept.sort_by(|a, b| (a.created_at, &a.record).cmp(&(b.created_at, &b.record)));
    kept
}
