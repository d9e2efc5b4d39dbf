//! The order of keeping: which results of a cache are kept first.

use std::cmp::Reverse;

use crate::Selection;
use crate::by_position::ByPosition;
use crate::freshness::{Freshness, Instant, instant};

/// A result in the order of keeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ordered {
    /// The position of its record.
    pub(crate) record: usize,
    /// How fresh its record is.
    pub(crate) freshness: Instant,
}

/// The results of a selection, the ones to keep first in front: the freshest records; of these the lowest, as most later
/// steps stand on them; of these the ones with the oldest results; of these the first of the config.
pub(crate) fn keeping_order(selection: &Selection<'_>, freshness: &Freshness) -> Vec<Ordered> {
    let graph = selection.graph();
    let mut heights = ByPosition::<u32>::new(graph.len());
    for record in graph.records() {
        let sources = record.inputs().flatten().map(|link| heights.get(link.source.position()) + 1);
        let height = sources.max().unwrap_or(0);
        heights.set(record.position(), height);
    }
    let mut places = ByPosition::<u32>::new(graph.len());
    for (place, record) in (0u32..).zip(graph.records_in_config_order()) {
        places.set(record.position(), place);
    }
    let keyed = selection.results().filter_map(|(record, result)| {
        let position = record.position();
        let freshness = freshness.get(record)?.instant;
        let key =
            (Reverse(freshness), heights.get(position), instant(result.created_at()), places.get(position));
        Some((key, Ordered { record: position, freshness }))
    });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_unstable_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, ordered)| ordered).collect()
}
