//! Merging, round by round.
//!
//! The union of the sources is closed. A source that lost a record, and could clash with the winner's run of it, gives up
//! that record and what stands on it. Then the next round begins, until no source is harmed.

mod cut;
mod harm;
pub(crate) mod round;
pub(crate) mod sources;

use std::collections::{BTreeMap, BTreeSet};

use crate::blob::{Blobs, SizeConflict};
use crate::cache::Cache;
use crate::marshal::{Exported, marshal};
use crate::record::Records;
use cut::cut;
use harm::is_harmed;
use round::Round;
use sources::Sources;

/// How caches are merged.
#[derive(Clone, Copy, Debug, Default)]
pub struct MergeOptions {
    /// Keeps everything; a build may then mix two runs of a step.
    pub keep_all: bool,
    /// The earliest of the given sources wins a contested record, rather than the newest result.
    pub prefer_first: bool,
}

/// A merged cache.
#[derive(Clone, Debug)]
pub struct Merged<'a> {
    /// The records, closed. Every result has layers.
    pub records: Records<'a>,
    /// What the sources say of the blobs.
    pub blobs: Blobs,
    /// The number of rounds that cut something.
    pub rounds: usize,
}

/// Merges caches.
///
/// # Errors
/// [`SizeConflict`] if two sources give a blob different sizes.
pub fn merge<'a>(caches: &'a [Cache], options: MergeOptions) -> Result<Merged<'a>, SizeConflict> {
    let mut sources = Sources::read(caches)?;
    let mut rounds = 0;
    loop {
        let round = Round::new(&sources, options.prefer_first);
        let harmed = if options.keep_all { BTreeMap::new() } else { harmed(&round) };
        if harmed.is_empty() {
            let mut records = if options.keep_all { round.closed.clone() } else { round.outcome() };
            describe(&mut records, &sources.blobs);
            return Ok(Merged { records, blobs: sources.blobs, rounds });
        }
        let lowest = harmed.iter().filter(|(record, _)| {
            let below = round.below(**record);
            !harmed.keys().any(|other| below.contains(other))
        });
        let lowest: BTreeMap<_, _> = lowest.map(|(record, losers)| (*record, losers.clone())).collect();
        let records = cut(&round, &lowest);
        sources.records = records;
        rounds += 1;
    }
}

/// The contested records that harm a source, with the sources that each harms.
fn harmed(round: &Round<'_, '_>) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut harmed: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (record, contest) in &round.contested {
        for loser in &contest.losing {
            if is_harmed(round, *record, *loser) {
                harmed.entry(*record).or_default().insert(*loser);
            }
        }
    }
    harmed
}

/// Gives each blob of the results the one descriptor that is taken of those of all sources.
fn describe(records: &mut Records<'_>, blobs: &Blobs) {
    for details in records.values_mut().flat_map(|record| record.results.values_mut()) {
        let described = details.descriptors.iter().map(|(blob, _)| (blob.clone(), blobs.exported(blob)));
        details.descriptors = described.collect();
    }
}

impl Merged<'_> {
    /// The merged cache as it is written.
    pub fn export(&self) -> Exported {
        marshal(self.records.clone(), &[])
    }
}
