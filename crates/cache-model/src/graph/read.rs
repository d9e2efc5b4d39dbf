//! Reads a graph from the log of chains, by one rule or the other.
//!
//! A rule makes a draft of the log; here records are made of the draft, and their results are put in order.

use std::sync::{Arc, OnceLock};

use crate::RecordDigest;
use crate::arena::index::{Idx, IndexVec, InputIx, Inputs, NodeIx, OpIx, RecordIx, Rows};
use crate::chains::log::{LogResult, cmp_results};
use crate::chains::{CacheChains, Rule};
use crate::graph::draft::{Draft, DraftLink, shared_digests};
use crate::graph::{ChainsRef, Graph, GraphLink, buildkit, closed};

/// Why no graph can be read from chains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The records of one digest are linked with one another in so many ways that finding out which of them are one
    /// takes more work than any cache that a build exports.
    #[error(
        "records are too tangled: it takes more than {budget} steps to tell which records are one; at {record} this was \
         given up. No build exports such a cache: have it exported anew"
    )]
    #[non_exhaustive]
    TooTangled {
        /// The digest of the records that were being compared.
        record: RecordDigest,
        /// How many steps are allowed for a cache of this size.
        budget: u64,
    },
}

impl CacheChains {
    /// Reads the graph by the [`rule`](Self::rule) of the chains.
    ///
    /// # Errors
    /// [`ReadError::TooTangled`] for a cache that was made to be slow to read.
    pub fn graph(&self) -> Result<Graph<'_>, ReadError> {
        Graph::read(ChainsRef::Borrowed(self))
    }
}

impl Graph<'static> {
    /// Reads a graph that owns its chains, to keep it in a struct or move it into a task.
    ///
    /// ```
    /// use cache_model::{CacheChains, Graph};
    /// let mut chains = CacheChains::new();
    /// chains.add(&"root".into(), &[], &[])?;
    /// let graph: Graph<'static> = Graph::shared(chains)?;
    /// assert_eq!(std::thread::spawn(move || graph.len()).join().expect("no panic"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`CacheChains::graph`].
    pub fn shared(chains: impl Into<Arc<CacheChains>>) -> Result<Self, ReadError> {
        Self::read(ChainsRef::Shared(chains.into()))
    }
}

impl<'a> Graph<'a> {
    fn read(chains: ChainsRef<'a>) -> Result<Self, ReadError> {
        let draft = match shared_digests(&chains.log, chains.digests.len()) {
            None => Draft::without_overlap(&chains.log),
            Some(shared) => match chains.rule() {
                Rule::BuildKit => buildkit::draft(&chains, &shared),
                Rule::Closed => closed::draft(&chains, &shared),
            },
        };
        Ok(Self::from_draft(chains, &draft))
    }

    /// Makes records of nodes, less those that are left with an input without links. Sources come first, so one pass
    /// settles it.
    fn from_draft(chains: ChainsRef<'a>, draft: &Draft) -> Self {
        let mut record_of_node: IndexVec<NodeIx, Option<RecordIx>> = IndexVec::filled(None, draft.nodes);
        let mut digests = IndexVec::with_capacity(draft.order.len());
        let mut inputs =
            Inputs::with_capacity(draft.order.len(), draft.inputs.len(), draft.inputs.items_len());
        let mut left_out = Vec::new();
        let mut next_input = 0;
        for node in &draft.order {
            let first = next_input;
            next_input += node.inputs as usize;
            let rows = || draft.inputs.rows(InputIx::new(first), InputIx::new(next_input));
            let survives = |link: &&DraftLink| record_of_node[link.source].is_some();
            if rows().any(|row| !row.iter().any(|link| survives(&link))) {
                left_out.push(node.digest);
                continue;
            }
            for row in rows() {
                for link in row {
                    if let Some(source) = record_of_node[link.source] {
                        inputs.push(GraphLink { source, selector: link.selector });
                    }
                }
                inputs.sort_and_dedup_open_input();
                inputs.end_input();
            }
            inputs.end_key();
            record_of_node[node.node] = Some(digests.push(node.digest));
        }
        let record_of_op: IndexVec<OpIx, _> =
            IndexVec::from_vec(draft.node_of_op.iter().map(|node| record_of_node[*node]).collect());
        let results = collect_results(&chains, &record_of_op, digests.len());
        Self {
            chains,
            digests,
            inputs,
            results,
            record_of_op,
            first_adds: OnceLock::new(),
            by_digest: OnceLock::new(),
            left_out,
            unsearched: draft.unsearched,
        }
    }
}

/// The results of each record, newest first.
fn collect_results(
    chains: &CacheChains,
    record_of_op: &IndexVec<OpIx, Option<RecordIx>>,
    records: usize,
) -> Rows<RecordIx, LogResult> {
    let mut found: Vec<(RecordIx, OpIx)> = Vec::with_capacity(record_of_op.len());
    for (op, record) in record_of_op.iter_indexed() {
        if let Some(record) = record {
            found.push((*record, op));
        }
    }
    // Already sorted where nothing was merged and nothing was left out.
    found.sort_unstable();
    let mut results = Rows::with_capacity(records, chains.log.results.items_len());
    let mut found = found.into_iter().peekable();
    for record in (0..records).map(RecordIx::new) {
        while let Some((_, op)) = found.next_if(|(at, _)| *at == record) {
            chains.log.results.row(op).iter().for_each(|result| results.push(*result));
        }
        // Newest first; of two texts for one instant the smaller is the one to keep.
        results.open_row().sort_by(|a, b| {
            cmp_results(&chains.layers, b, a).then_with(|| a.created_at.cmp_with_text(&b.created_at))
        });
        results.end_row();
    }
    results
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::index::DigestIx;
    use crate::graph::bits::Limits;
    use crate::{Link, MarshalWarning, RecordDigest};

    /// The graph by BuildKit's rule, with so many links to follow.
    fn within(budget: u64, chains: &CacheChains) -> Graph<'_> {
        read(chains, |chains, shared| buildkit::draft_within(budget, Limits::default(), chains, shared))
    }

    fn read(
        chains: &CacheChains,
        rule: impl Fn(&CacheChains, &IndexVec<DigestIx, bool>) -> Draft,
    ) -> Graph<'_> {
        match shared_digests(&chains.log, chains.digests.len()) {
            None => chains.graph().unwrap(),
            Some(shared) => Graph::from_draft(ChainsRef::Borrowed(chains), &rule(chains, &shared)),
        }
    }

    /// Chains of adds, each a digest and the positions of earlier adds that its one input is linked to.
    fn chains(adds: &[(u8, Vec<usize>)]) -> CacheChains {
        let adds: Vec<_> = adds.iter().map(|(digest, sources)| (*digest, vec![sources.clone()])).collect();
        chains_of_inputs(&adds)
    }

    /// The same with any number of inputs; one without sources is left out.
    fn chains_of_inputs(adds: &[(u8, Vec<Vec<usize>>)]) -> CacheChains {
        let (mut chains, mut ids) = (CacheChains::new(), Vec::new());
        for (digest, inputs) in adds {
            let link = |source: &usize| {
                let source = *ids.get(source % ids.len().max(1))?;
                Some(Link { source, selector: "" })
            };
            let inputs: Vec<Vec<Link<'_>>> =
                inputs.iter().map(|sources| sources.iter().filter_map(link).collect()).collect();
            let inputs: Vec<&[Link<'_>]> =
                inputs.iter().map(Vec::as_slice).filter(|links| !links.is_empty()).collect();
            ids.extend(chains.add(&RecordDigest::new(&digest.to_string()), &inputs, &[]).unwrap());
        }
        chains
    }

    #[test]
    fn a_link_that_nobody_could_afford_to_look_at_is_left_out_and_told() {
        // The last links the second record to what depends on it: a cycle, if anyone looks.
        let chains = chains(&[(0, vec![]), (1, vec![0]), (2, vec![1]), (1, vec![0, 2])]);
        let warnings = |budget| within(budget, &chains).marshal(&|_| true).warnings;
        assert_eq!(warnings(100), []);
        assert_eq!(warnings(0), [MarshalWarning::Unsearched { links: 1 }]);
        assert_eq!(within(0, &chains).links_len(), within(100, &chains).links_len());
        let told = warnings(0)[0].to_string();
        assert!(told.starts_with("links left out: 1, of which it would take too long"), "{told}");
    }

    #[test]
    fn a_link_that_a_union_gives_up_unlooked_at_is_told() {
        // The last makes two records of digest 2 one. The younger depends on what comes after the older, which has
        // dependents: a way from these to that could close a cycle.
        let chains = chains(&[
            (0, vec![]),
            (1, vec![]),
            (2, vec![0]),
            (3, vec![]),
            (4, vec![2]),
            (2, vec![1, 3]),
            (2, vec![0, 1]),
        ]);
        let told = |budget| (within(budget, &chains).unsearched_links(), within(budget, &chains).links_len());
        assert_eq!(told(100), (0, 4));
        assert_eq!(told(0), (1, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        /// Law: whether overlapping records are found by lists or by sets changes nothing, in either reading.
        #[test]
        fn lists_and_sets_find_the_same(
            adds in prop::collection::vec(
                (0u8..3, prop::collection::vec(prop::collection::vec(0usize..12, 1..3), 0..4)),
                1..30,
            ),
            (many, lookups) in (0usize..4, 0usize..8),
        ) {
            let chains = chains_of_inputs(&adds);
            let limits = Limits { many, lookups };
            let is_same = |by_sets: Graph<'_>, usual: Graph<'_>| {
                let (by_sets, usual) = (by_sets.marshal(&|_| true), usual.marshal(&|_| true));
                prop_assert_eq!(by_sets.config, usual.config);
                prop_assert_eq!(by_sets.warnings, usual.warnings);
                Ok(())
            };
            let by_order = read(&chains, |c, shared| buildkit::draft_within(u64::MAX, limits, c, shared));
            is_same(by_order, chains.graph().unwrap())?;
            let mut chains = chains.clone();
            chains.set_rule(Rule::Closed);
            let closed = read(&chains, |c, shared| closed::draft_within(limits, c, shared));
            is_same(closed, chains.graph().unwrap())?;
        }

        /// Law: whatever the budget, no cycle is left; and where it suffices, the graph is the one without a bound.
        #[test]
        fn a_budget_costs_links_and_nothing_else(
            adds in prop::collection::vec((0u8..4, prop::collection::vec(0usize..20, 0..3)), 1..20),
            budget in 0u64..30,
        ) {
            let chains = chains(&adds);
            let (bounded, free) = (within(budget, &chains), chains.graph().unwrap());
            let marshalled = bounded.marshal(&|_| true);
            CacheChains::from_config(&marshalled.config, []).unwrap();
            prop_assert_eq!(free.unsearched_links(), 0);
            if bounded.unsearched_links() == 0 {
                let unbounded = free.marshal(&|_| true);
                prop_assert_eq!(marshalled.config, unbounded.config);
                prop_assert_eq!(marshalled.warnings, unbounded.warnings);
            } else {
                let told = MarshalWarning::Unsearched { links: bounded.unsearched_links() };
                prop_assert!(marshalled.warnings.contains(&told));
            }
        }
    }
}
