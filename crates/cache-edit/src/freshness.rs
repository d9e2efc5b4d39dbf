//! How fresh each record is: as its result, its mark, or the freshest record that was made from it.

use cache_model::{RecordRef, ResultRef, Timestamp};

use crate::Selection;
use crate::by_position::ByPosition;
use crate::used_on::UsedOn;

/// The freshness of each record of a selection's graph.
pub(crate) struct Freshness(ByPosition<Option<Fresh>>);

/// An instant as seconds and nanoseconds, which compare faster than timestamps with an offset.
pub(crate) type Instant = (i64, u32);

/// The freshness of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fresh {
    /// The latest instant.
    pub(crate) instant: Instant,
    /// The position of the record that has it by its own result or mark. The record itself comes before a later one
    /// with the same instant.
    pub(crate) due_to: usize,
}

impl Freshness {
    /// The freshness of the records by the results of a selection. A record that leads to no result has none.
    pub(crate) fn of(selection: &Selection<'_>) -> Self {
        let mut fresh = ByPosition::<Option<Fresh>>::new(selection.graph().len());
        // Backwards: a record comes after all records that were made from it.
        for record in selection.graph().records().rev() {
            let position = record.position();
            let own = selection.result(record).map(|result| Fresh { instant: own(result), due_to: position });
            let later = fresh.get(position);
            let freshest = match (own, later) {
                (Some(own), Some(later)) if later.instant > own.instant => Some(later),
                (Some(own), _) => Some(own),
                (None, later) => later,
            };
            let Some(freshest) = freshest else { continue };
            fresh.set(position, Some(freshest));
            for link in record.inputs().flatten() {
                let source = link.source.position();
                if fresh.get(source).is_none_or(|known| known.instant < freshest.instant) {
                    fresh.set(source, Some(freshest));
                }
            }
        }
        Self(fresh)
    }

    /// The freshness of a record.
    pub(crate) fn get(&self, record: RecordRef<'_>) -> Option<Fresh> {
        self.0.get(record.position())
    }
}

/// The freshness of a result without that of the records that link to it. It is the instant at which the result was made,
/// or the end of the day of its mark, if that is later.
fn own(result: ResultRef<'_>) -> Instant {
    let made = instant(result.created_at());
    mark(result).map_or(made, |day| made.max(instant(day.last_instant())))
}

/// The mark of a result: that of its topmost layer.
pub(crate) fn mark(result: ResultRef<'_>) -> Option<UsedOn> {
    UsedOn::of_layer(result.top()?.descriptor())
}

/// A timestamp as numbers.
pub(crate) fn instant(timestamp: Timestamp) -> Instant {
    (timestamp.unix_seconds(), timestamp.subsec_nanoseconds())
}
