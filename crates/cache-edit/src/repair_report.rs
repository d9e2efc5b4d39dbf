//! What a repair drops, as data.

use cache_model::{Digest, RecordDigest, Timestamp, Totals};

use crate::Selection;
use crate::bad_layers::BadLayers;
use crate::by_position::ByPosition;

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// What the cache held, its records without results included.
    pub before: Totals,
    /// What it holds now.
    pub after: Totals,
    /// The newest results that have bad blobs, by their lowest bad blobs.
    pub broken: Vec<BrokenResult>,
    /// The records that led to a result before and lead to none now, by their digests.
    pub fallen: Vec<RecordDigest>,
}

/// A result with a bad blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenResult {
    /// The digest of its record.
    pub record: RecordDigest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its lowest bad blob.
    pub blob: Digest,
    /// When the older result was made that the record has instead, if there is one.
    pub replaced_by: Option<Timestamp>,
}

impl RepairReport {
    /// Compares the newest results of a graph with its complete ones, [`Selection::complete`].
    pub fn of(complete: &Selection<'_>, is_bad: &dyn Fn(&Digest) -> bool) -> Self {
        let graph = complete.graph();
        let newest = Selection::newest(graph);
        let bad = BadLayers::new(graph, is_bad);
        let broken = newest.results().filter_map(|(record, result)| {
            Some(BrokenResult {
                blob: bad.lowest(result.top()?)?,
                record: record.digest().clone(),
                created_at: result.created_at(),
                replaced_by: complete.result(record).map(|older| older.created_at()),
            })
        });
        let mut broken: Vec<_> = broken.collect();
        broken.sort_by(|a, b| (a.blob, &a.record, a.created_at).cmp(&(b.blob, &b.record, b.created_at)));
        Self {
            before: Totals::of_graph(graph),
            after: complete.totals(),
            broken,
            fallen: fallen(&newest, complete),
        }
    }
}

fn fallen(newest: &Selection<'_>, complete: &Selection<'_>) -> Vec<RecordDigest> {
    let mut stays = ByPosition::<bool>::new(complete.graph().len());
    complete.records().for_each(|record| stays.set(record.position(), true));
    let gone = newest.records().filter(|record| !stays.get(record.position()));
    let mut fallen: Vec<_> = gone.map(|record| record.digest().clone()).collect();
    fallen.sort();
    fallen
}
