//! What a round sees: the closed union of the sources, and the records that are contested.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Sources;
use crate::closed::close;
use crate::marshal::leave_out;
use crate::record::{Record, Records, ResultKey};

/// A round.
pub(crate) struct Round<'s, 'a> {
    pub(crate) sources: &'s Sources<'a>,
    /// The closed union of what is left of the sources.
    pub(crate) closed: Records<'a>,
    /// The closed record that each record of a source is part of.
    record_of: BTreeMap<usize, usize>,
    pub(crate) contested: BTreeMap<usize, Contest>,
}

/// A record of which the sources have different results.
pub(crate) struct Contest {
    /// The identities of the layers of the winner's result.
    winner: Vec<String>,
    /// The sources with the same result.
    pub(crate) winning: BTreeSet<usize>,
    /// The sources with another result.
    pub(crate) losing: BTreeSet<usize>,
}

impl<'s, 'a> Round<'s, 'a> {
    pub(crate) fn new(sources: &'s Sources<'a>, prefer_first: bool) -> Self {
        let parts = sources.records.iter().flatten().map(|(at, part)| (*at, part.clone())).collect();
        let union = close(&parts);
        let (mut closed, mut record_of) = (union.records, union.record_of);
        leave_out(&mut closed);
        record_of.retain(|_, record| closed.contains_key(record));
        let mut round = Self { sources, closed, record_of, contested: BTreeMap::new() };
        let contest = |record: &usize| Some((*record, round.contest(*record, prefer_first)?));
        round.contested = round.closed.keys().filter_map(contest).collect();
        round
    }

    /// The records of a source that are part of a closed record.
    pub(crate) fn parts(&self, source: usize, record: usize) -> BTreeMap<usize, &'s Record<'a>> {
        let parts = self.sources.records[source].iter();
        parts
            .filter(|(at, _)| self.record_of.get(at) == Some(&record))
            .map(|(at, part)| (*at, part))
            .collect()
    }

    /// The selectors with which an input of a source's record links to a source's part of a closed record.
    pub(crate) fn selectors(&self, part: &Record<'a>, input: usize, record: usize) -> BTreeSet<&'a str> {
        let links = part.inputs[input].iter();
        links
            .filter(|(at, _)| self.record_of.get(at) == Some(&record))
            .map(|(_, selector)| *selector)
            .collect()
    }

    /// The records that a record depends on, itself not among them.
    pub(crate) fn below(&self, record: usize) -> BTreeSet<usize> {
        let mut below = BTreeSet::new();
        let mut next = vec![record];
        while let Some(at) = next.pop() {
            let sources = self.closed[&at].inputs.iter().flatten().map(|(source, _)| *source);
            next.extend(sources.filter(|source| below.insert(*source)));
        }
        below
    }

    /// The closed union, in which each contested record has the results that are the same as the winner's.
    pub(crate) fn outcome(&self) -> Records<'a> {
        let mut records = self.closed.clone();
        for (record, contest) in &self.contested {
            let results = &mut records.get_mut(record).unwrap().results;
            results.retain(|(_, blobs), _| self.sources.blobs.identities(blobs) == contest.winner);
        }
        records
    }

    fn contest(&self, record: usize, prefer_first: bool) -> Option<Contest> {
        let of_source = |source| Some((source, self.newest(source, record)?));
        let newest: BTreeMap<usize, (ResultKey, &str)> =
            (0..self.sources.records.len()).filter_map(of_source).collect();
        let best = match prefer_first {
            true => newest.values().next(),
            false => newest.values().max(),
        };
        let identities = |(key, _): &(ResultKey, &str)| self.sources.blobs.identities(&key.1);
        let winner = identities(best?);
        let (winning, losing): (BTreeSet<usize>, BTreeSet<usize>) =
            newest.keys().partition(|source| identities(&newest[*source]) == winner);
        (!losing.is_empty()).then_some(Contest { winner, winning, losing })
    }

    /// A source's newest result of a closed record: the greatest instant, then list of blobs, then text.
    pub(crate) fn newest(&self, source: usize, record: usize) -> Option<(ResultKey, &'a str)> {
        let parts = self.parts(source, record);
        let results = parts.values().flat_map(|part| &part.results);
        results.map(|(key, details)| (key.clone(), details.time)).max()
    }
}
