//! The canonical order of the records of a graph; it does not depend on the order in which they were added.
//!
//! Records are ordered by height, digest, number of inputs, sorted links, and the result that is marshalled. The order
//! never depends on hash seeds or addresses.

use std::cmp::Ordering;

use crate::arena::index::{DigestIx, Idx, IndexVec, Inputs, Rank, RecordIx, SelectorIx};
use crate::chains::log::LogResult;
use crate::chains::log::cmp_results;
use crate::graph::Graph;
use crate::marshal::presence::Newest;
use crate::{Digest, RecordDigest};

/// A graph with its records in the order of their ranks.
pub(crate) struct Ranked {
    /// The record of each rank.
    pub(crate) records: IndexVec<Rank, RecordIx>,
    /// The links of each input, sorted by selector and the rank of the source.
    pub(crate) inputs: Inputs<Rank, RankedLink>,
    /// Whether another record depends on this one.
    pub(crate) has_dependents: IndexVec<Rank, bool>,
    /// The position of each record's digest among all digests.
    pub(crate) digest_ranks: IndexVec<Rank, u32>,
    pub(crate) digests: TextOrder<DigestIx>,
    pub(crate) selectors: TextOrder<SelectorIx>,
}

/// A link: `selector` is the position of its text among all selectors' texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RankedLink {
    pub(crate) selector: u32,
    pub(crate) source: Rank,
}

impl Ranked {
    pub(crate) fn new(graph: &Graph<'_>, chosen: &IndexVec<RecordIx, Option<Newest>>) -> Self {
        let chains = graph.chains();
        let mut ranking = Ranking {
            graph,
            chosen,
            rank_of: IndexVec::filled(None, graph.len()),
            ranked: Self {
                records: IndexVec::with_capacity(graph.len()),
                inputs: Inputs::with_capacity(
                    graph.len(),
                    graph.inputs.rows().len(),
                    graph.inputs.rows().items_len(),
                ),
                has_dependents: IndexVec::filled(false, graph.len()),
                digest_ranks: IndexVec::with_capacity(graph.len()),
                digests: TextOrder::new(chains.digests.values(), digest_prefix(chains.digests.values())),
                selectors: TextOrder::new(chains.selectors.values(), |text| head(text.as_bytes())),
            },
        };
        ranking.rank_all();
        ranking.ranked
    }
}

struct Ranking<'r, 'g> {
    graph: &'r Graph<'g>,
    chosen: &'r IndexVec<RecordIx, Option<Newest>>,
    rank_of: IndexVec<RecordIx, Option<Rank>>,
    ranked: Ranked,
}

impl Ranking<'_, '_> {
    fn rank_all(&mut self) {
        let heights = self.heights();
        let mut by_height_and_digest: Vec<(u64, RecordIx)> = heights
            .iter_indexed()
            .map(|(record, height)| {
                let digest = self.ranked.digests.rank(self.graph.digests[record]);
                (u64::from(*height) << 32 | u64::from(digest), record)
            })
            .collect();
        by_height_and_digest.sort_unstable();
        for tied in by_height_and_digest.chunk_by(|a, b| a.0 == b.0) {
            match tied {
                [(_, record)] => self.take(*record),
                _ => self.take_tied(tied.iter().map(|(_, record)| *record).collect()),
            }
        }
    }

    /// The height of each record: 0 without inputs, otherwise one more than the greatest height of its sources.
    fn heights(&self) -> IndexVec<RecordIx, u32> {
        let mut heights = IndexVec::with_capacity(self.graph.len());
        for record in self.graph.digests.indices() {
            let sources = self.graph.inputs.of(record).flatten();
            heights.push(sources.map(|link| heights[link.source] + 1).max().unwrap_or(0));
        }
        heights
    }

    /// Gives a record the next rank.
    fn take(&mut self, record: RecordIx) {
        for row in self.graph.inputs.of(record) {
            for link in row {
                if let Some(source) = self.rank_of[link.source] {
                    let selector = self.ranked.selectors.rank(link.selector);
                    self.ranked.inputs.push(RankedLink { selector, source });
                    self.ranked.has_dependents[source] = true;
                }
            }
            self.ranked.inputs.sort_and_dedup_open_input();
            self.ranked.inputs.end_input();
        }
        self.ranked.inputs.end_key();
        self.ranked.digest_ranks.push(self.ranked.digests.rank(self.graph.digests[record]));
        self.rank_of[record] = Some(self.ranked.records.push(record));
    }

    /// Gives the next ranks to records with the same height and digest.
    fn take_tied(&mut self, records: Vec<RecordIx>) {
        let mut keyed: Vec<(Vec<Vec<RankedLink>>, RecordIx)> =
            records.into_iter().map(|record| (self.sorted_links(record), record)).collect();
        keyed.sort_by(|(a, x), (b, y)| {
            let by_content =
                a.len().cmp(&b.len()).then_with(|| a.cmp(b)).then_with(|| self.cmp_chosen(*x, *y));
            by_content.then_with(|| self.graph.first_add(*x).cmp(&self.graph.first_add(*y)))
        });
        for (_, record) in keyed {
            self.take(record);
        }
    }

    fn sorted_links(&self, record: RecordIx) -> Vec<Vec<RankedLink>> {
        let sorted = |row: &[crate::graph::GraphLink]| {
            let mut links: Vec<RankedLink> = row
                .iter()
                .filter_map(|link| {
                    let source = self.rank_of[link.source]?;
                    Some(RankedLink { selector: self.ranked.selectors.rank(link.selector), source })
                })
                .collect();
            links.sort_unstable();
            links
        };
        self.graph.inputs.of(record).map(sorted).collect()
    }

    fn cmp_chosen(&self, a: RecordIx, b: RecordIx) -> Ordering {
        let layers = &self.graph.chains.layers;
        let result = |record: RecordIx| -> Option<&LogResult> {
            let at = self.chosen[record]?.first;
            self.graph.results.row(record).get(at as usize)
        };
        match (result(a), result(b)) {
            (Some(a), Some(b)) => {
                cmp_results(layers, a, b).then_with(|| a.created_at.cmp_with_text(&b.created_at))
            }
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
}

/// The order of distinct values by their texts.
pub(crate) struct TextOrder<I> {
    ranks: IndexVec<I, u32>,
    sorted: Vec<I>,
}

impl<I: Idx> TextOrder<I> {
    /// Sorts values. `prefix` must be monotonic: a greater value never has a smaller prefix. It avoids most comparisons of
    /// texts.
    pub(crate) fn new<T: Ord>(values: &IndexVec<I, T>, prefix: impl Fn(&T) -> u64) -> Self {
        let mut sorted: Vec<(u64, I)> =
            values.iter_indexed().map(|(index, value)| (prefix(value), index)).collect();
        sorted.sort_unstable_by(|(p, a), (q, b)| p.cmp(q).then_with(|| values[*a].cmp(&values[*b])));
        let sorted: Vec<I> = sorted.into_iter().map(|(_, index)| index).collect();
        let mut ranks = IndexVec::filled(0, values.len());
        for (rank, index) in (0u32..).zip(&sorted) {
            ranks[*index] = rank;
        }
        Self { ranks, sorted }
    }

    /// The position of a value among all.
    pub(crate) fn rank(&self, index: I) -> u32 {
        self.ranks[index]
    }

    /// The value at a position.
    pub(crate) fn at(&self, rank: u32) -> Option<I> {
        self.sorted.get(rank as usize).copied()
    }
}

fn head(bytes: &[u8]) -> u64 {
    let mut head = [0; 8];
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(head)
}

/// The first bytes of the hashes of record digests; 0 for all if one of them is not well-formed.
fn digest_prefix(digests: &IndexVec<DigestIx, RecordDigest>) -> impl Fn(&RecordDigest) -> u64 {
    let all_sha256 = digests.iter().all(|digest| digest.as_sha256().is_some());
    move |digest| if all_sha256 { digest.as_sha256().map_or(0, |bytes| head(bytes)) } else { 0 }
}

/// The first bits of blob digests: sha256 before sha512, then by their hashes.
pub(crate) fn blob_prefix(digest: &Digest) -> u64 {
    let algorithm = u64::from(digest.algorithm() == crate::Algorithm::Sha512);
    algorithm << 63 | head(digest.as_bytes()) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_a_blob_does_not_fall_where_digests_rise() {
        let digests = [0, 1, 0x7F, 0x80, 0xFF].map(|byte| Digest::sha256([byte; 32]));
        let longer = [0, 1, 0x7F, 0x80, 0xFF].map(|byte| Digest::sha512([byte; 64]));
        let digests = [digests, longer].concat();
        assert!(digests.is_sorted());
        assert!(digests.iter().is_sorted_by_key(blob_prefix));
    }
}
