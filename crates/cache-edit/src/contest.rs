//! Contested records: records of which the sources have different results, and who wins.

use cache_model::arena::Idx;

use crate::index::{IdentityIx, PartIx, SourceIx};
use crate::layer_table::LayerTable;
use crate::merge_options::Prefer;
use crate::parts::{PartResult, Parts};

/// What the sources have as results of a contested record.
pub(crate) struct Contest {
    pub(crate) winner: SourceIx,
    /// The identity of the winner's result.
    pub(crate) identity: IdentityIx,
    /// The sources with a result that is the same as the winner's; the winner is one of them.
    pub(crate) winning: Vec<SourceIx>,
    /// The sources with a different result.
    pub(crate) losers: Vec<SourceIx>,
}

/// A source's newest result of a record.
#[derive(Clone, Copy)]
struct Entry {
    source: SourceIx,
    newest: PartResult,
}

impl Contest {
    /// The contest for a record with these parts, which are in order; `None` if no two sources have different results.
    pub(crate) fn find(
        record: &[PartIx],
        parts: &Parts,
        layers: &LayerTable,
        prefer: Prefer,
    ) -> Option<Self> {
        let identity = |result: PartResult| layers.identity(result.stack);
        let mut results = record.iter().filter_map(|part| parts.results(*part).first());
        let first = identity(*results.next()?);
        if results.all(|result| identity(*result) == first) {
            return None;
        }
        let age = |result: PartResult| (result.created_at, layers.order(result.stack));
        let mut entries: Vec<Entry> = Vec::new();
        for part in record {
            let Some(newest) = parts.results(*part).first().copied() else { continue };
            let source = parts.of(*part).source;
            match entries.last_mut().filter(|entry| entry.source == source) {
                Some(entry) if age(entry.newest) < age(newest) => entry.newest = newest,
                Some(_) => {}
                None => entries.push(Entry { source, newest }),
            }
        }
        let winner = match prefer {
            Prefer::First => entries.first(),
            // The earliest of those that are equally new.
            Prefer::Newest => entries.iter().rev().max_by_key(|entry| age(entry.newest)),
        };
        let winner = *winner?;
        let wins = |entry: &Entry| identity(entry.newest) == identity(winner.newest);
        let (winning, losing): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(wins);
        let sources = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.source).collect::<Vec<_>>();
        let (winning, losers) = (sources(winning), sources(losing));
        let identity = identity(winner.newest);
        (!losers.is_empty()).then_some(Self { winner: winner.source, identity, winning, losers })
    }

    /// The part of a record that a source has the winner's result in. The parts are those of the record.
    pub(crate) fn winning_part(
        &self,
        record: &[PartIx],
        parts: &Parts,
        layers: &LayerTable,
    ) -> Option<PartIx> {
        let has_it = |part: &PartIx| {
            let newest = parts.results(*part).first();
            parts.of(*part).source == self.winner
                && newest.is_some_and(|newest| layers.identity(newest.stack) == self.identity)
        };
        record.iter().copied().find(has_it)
    }

    pub(crate) fn has_won(&self, source: SourceIx) -> bool {
        self.winning.binary_search(&source).is_ok()
    }
}

/// The positions of sources among those that were given.
pub(crate) fn positions(sources: &[SourceIx]) -> Vec<usize> {
    sources.iter().map(|source| source.position()).collect()
}
