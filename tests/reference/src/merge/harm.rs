//! Whether a source that lost a record could clash with the winner's run of it.

use std::collections::{BTreeMap, BTreeSet};

use super::round::{Contest, Round};

/// The ways by which records take from a contested record, as one source sees them.
struct Ways<'r, 's, 'a> {
    round: &'r Round<'s, 'a>,
    contested: usize,
    contest: &'r Contest,
    loser: usize,
    /// The ways of each record, by the uses through which they lead.
    known: BTreeMap<usize, BTreeSet<usize>>,
    /// For each record where two runs clash, all uses that meet there.
    clashes: Vec<BTreeSet<usize>>,
}

/// Whether a contested record harms a source that lost it: where two runs clash, one of the ways is the source's own.
pub(crate) fn is_harmed(round: &Round<'_, '_>, contested: usize, loser: usize) -> bool {
    let contest = &round.contested[&contested];
    let mut ways = Ways { round, contested, contest, loser, known: BTreeMap::new(), clashes: Vec::new() };
    for record in round.closed.keys() {
        ways.of(*record);
    }
    let own: BTreeSet<usize> = round.closed.keys().copied().filter(|record| ways.is_own(*record)).collect();
    ways.clashes.iter().any(|clash| !clash.is_disjoint(&own))
}

impl<'a> Ways<'_, '_, 'a> {
    /// The ways of a record.
    fn of(&mut self, record: usize) -> BTreeSet<usize> {
        if let Some(ways) = self.known.get(&record) {
            return ways.clone();
        }
        let inputs = self.round.closed[&record].inputs.clone();
        let inputs: Vec<BTreeSet<usize>> = inputs
            .iter()
            .map(|links| links.iter().flat_map(|(source, _)| self.through(record, *source)).collect())
            .filter(|ways: &BTreeSet<usize>| !ways.is_empty())
            .collect();
        let all: BTreeSet<usize> = inputs.iter().flatten().copied().collect();
        let common = all.iter().copied().filter(|way| inputs.iter().all(|ways| ways.contains(way)));
        let common: BTreeSet<usize> = common.collect();
        let ways = if common.is_empty() {
            if !all.is_empty() {
                self.clashes.push(all.clone());
            }
            all
        } else {
            common
        };
        self.known.insert(record, ways.clone());
        ways
    }

    /// The ways of a link from a record to a source.
    fn through(&mut self, record: usize, source: usize) -> BTreeSet<usize> {
        if source != self.contested {
            return self.of(source);
        }
        if self.is_alike(record) { BTreeSet::new() } else { BTreeSet::from([record]) }
    }

    /// Whether the loser's part of a record takes from its part of the contested one, and is not alike.
    fn is_own(&self, record: usize) -> bool {
        !self.loser_takes(record).is_empty() && !self.is_alike(record)
    }

    /// Whether the loser and a winning source recorded the same content wherever the record takes from the contested one.
    fn is_alike(&self, record: usize) -> bool {
        let takes = self.loser_takes(record);
        let is_alike = |(input, selector): &(usize, &str)| {
            let parts = self.round.parts(self.loser, record);
            let mut contents =
                parts.values().flat_map(|part| self.round.sources.contents(self.loser, part, *input));
            contents.any(|content| self.is_won(record, *input, selector, content))
        };
        !takes.is_empty() && takes.iter().all(is_alike)
    }

    /// The inputs and selectors by which the loser's part of a record takes from its part of the contested one.
    fn loser_takes(&self, record: usize) -> BTreeSet<(usize, &'a str)> {
        let mut takes = BTreeSet::new();
        for part in self.round.parts(self.loser, record).into_values() {
            for input in 0..part.inputs.len() {
                let selectors = self.round.selectors(part, input, self.contested);
                takes.extend(selectors.into_iter().map(|selector| (input, selector)));
            }
        }
        takes
    }

    /// Whether a winning source recorded this content for a like record that takes the same.
    fn is_won(&self, record: usize, input: usize, selector: &str, content: &str) -> bool {
        let (like, sources) = (&self.round.closed[&record], self.round.sources);
        self.contest.winning.iter().any(|winner| {
            sources.records[*winner].values().any(|record| {
                record.digest == like.digest
                    && record.inputs.len() == like.inputs.len()
                    && self.round.selectors(record, input, self.contested).contains(selector)
                    && sources.contents(*winner, record, input).contains(content)
            })
        })
    }
}
