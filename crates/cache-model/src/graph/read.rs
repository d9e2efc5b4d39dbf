//! Reads a graph from the log of chains by their rule.
//!
//! The rule makes a draft of the log. This file makes records from the draft and sorts their results.

use std::sync::Arc;

use crate::arena::index::{Idx, IndexVec, InputIx, Inputs, NodeIx, OpIx, RecordIx, Rows};
use crate::chains::log::{LogResult, cmp_results};
use crate::chains::{CacheChains, Rule};
use crate::graph::budget::{Budget, ReadError};
use crate::graph::draft::{Draft, DraftLink, shared_digests};
use crate::graph::{ChainsRef, Graph, GraphLink, buildkit, closed};

impl CacheChains {
    /// Reads the graph by the [`rule`](Self::rule) of the chains.
    ///
    /// # Errors
    /// [`ReadError::TooTangled`] if reading would take too long, as for a cache that was made to be slow.
    pub fn graph(&self) -> Result<Graph<'_>, ReadError> {
        self.graph_by(self.rule())
    }

    /// Reads the graph by a rule, whatever the [`rule`](Self::rule) of the chains.
    ///
    /// # Errors
    /// As [`graph`](Self::graph).
    pub fn graph_by(&self, rule: Rule) -> Result<Graph<'_>, ReadError> {
        Graph::read(ChainsRef::Borrowed(self), rule)
    }
}

impl Graph<'static> {
    /// Reads a graph that owns its chains, to keep it in a struct or move it into a task.
    ///
    /// ```
    /// use cache_model::{CacheChains, Graph, RecordDigest};
    /// let mut chains = CacheChains::new();
    /// chains.add(&RecordDigest::of_output("sha256:root", 0), &[], &[])?;
    /// let graph: Graph<'static> = Graph::shared(chains)?;
    /// assert_eq!(std::thread::spawn(move || graph.len()).join().expect("no panic"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`CacheChains::graph`].
    pub fn shared(chains: impl Into<Arc<CacheChains>>) -> Result<Self, ReadError> {
        let chains = chains.into();
        let rule = chains.rule();
        Self::read(ChainsRef::Shared(chains), rule)
    }
}

impl<'a> Graph<'a> {
    fn read(chains: ChainsRef<'a>, rule: Rule) -> Result<Self, ReadError> {
        let budget = Budget::of(&chains.log);
        Self::read_within(budget, chains, rule)
    }

    fn read_within(mut budget: Budget, chains: ChainsRef<'a>, rule: Rule) -> Result<Self, ReadError> {
        let draft = match shared_digests(&chains.log, chains.digests.len()) {
            None => Draft::without_overlap(&chains.log),
            Some(shared) => match rule {
                Rule::BuildKit => buildkit::draft(&chains, &shared, &mut budget)?,
                Rule::Closed => closed::draft(&chains, &shared, &mut budget)?,
            },
        };
        Ok(Self { reading_steps: budget.spent(), ..Self::from_draft(chains, &draft) })
    }

    /// Makes a record of each node, except for nodes that have an input without links. One pass is enough, since sources
    /// come first.
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
        let (results, first_adds) = collect_results(&chains, &record_of_op, digests.len());
        Self { chains, digests, inputs, results, record_of_op, first_adds, left_out, reading_steps: 0 }
    }
}

/// The results of each record, newest first, and the first add of each record.
fn collect_results(
    chains: &CacheChains,
    record_of_op: &IndexVec<OpIx, Option<RecordIx>>,
    records: usize,
) -> (Rows<RecordIx, LogResult>, IndexVec<RecordIx, OpIx>) {
    let mut found: Vec<(RecordIx, OpIx)> = Vec::with_capacity(record_of_op.len());
    for (op, record) in record_of_op.iter_indexed() {
        if let Some(record) = record {
            found.push((*record, op));
        }
    }
    // Already sorted if nothing was merged or left out.
    found.sort_unstable();
    let mut results = Rows::with_capacity(records, chains.log.results.items_len());
    let mut first_adds = IndexVec::with_capacity(records);
    let mut found = found.into_iter().peekable();
    for record in (0..records).map(RecordIx::new) {
        // Every record has at least one add, so the default is never used.
        first_adds.push(found.peek().map_or(OpIx::new(0), |(_, op)| *op));
        while let Some((_, op)) = found.next_if(|(at, _)| *at == record) {
            chains.log.results.row(op).iter().for_each(|result| results.push(*result));
        }
        // Newest first. Of two texts for one instant the smaller is kept, so it comes first.
        results.open_row().sort_by(|a, b| {
            cmp_results(&chains.layers, b, a).then_with(|| a.created_at.cmp_with_text(&b.created_at))
        });
        results.end_row();
    }
    (results, first_adds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Link, RecordDigest};

    /// Chains with these adds. Each has a digest and, for each input, the positions of earlier adds; an input without
    /// positions is skipped.
    fn chains(adds: &[(u8, Vec<Vec<usize>>)]) -> CacheChains {
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

    fn within(budget: u64, chains: &CacheChains, rule: Rule) -> Result<Graph<'_>, ReadError> {
        Graph::read_within(Budget::new(budget), ChainsRef::Borrowed(chains), rule)
    }

    #[test]
    fn a_graph_that_takes_too_long_to_read_is_refused_and_the_error_names_a_record() {
        // The last add links the second record to a record that depends on it.
        let chains = chains(&[(0, vec![]), (1, vec![vec![0]]), (2, vec![vec![1]]), (1, vec![vec![0, 2]])]);
        for rule in [Rule::BuildKit, Rule::Closed] {
            let steps = within(100, &chains, rule).unwrap().reading_steps();
            assert!(steps > 0 && within(steps, &chains, rule).is_ok());
            within(steps - 1, &chains, rule).unwrap_err();
            let error = within(0, &chains, rule).unwrap_err();
            let ReadError::TooTangled { record, budget: 0 } = &error else { panic!("{error:?}") };
            assert_eq!(record.to_string(), "1");
            assert!(
                error.to_string().starts_with("the records with digest 1 cannot be compared within 0 steps"),
                "{error}"
            );
        }
    }

    /// A merge of 100 builds of 200 steps. Each step has up to three inputs with `links` links to steps near it. Each step
    /// for which `is_own` holds differs in each build.
    fn merged_builds(links: usize, is_own: impl Fn(usize) -> bool) -> CacheChains {
        let mut merged = CacheChains::new();
        for build in 0..100 {
            let (mut chains, mut ids) = (CacheChains::new(), Vec::new());
            for n in 0..200_usize {
                let source = |at: usize| n - 1 - (n * (7 + at)) % n.min(20);
                let link = |at: usize| Link::new(ids[source(at)], "");
                let input = |input: usize| (0..links).map(|at| link(input * links + at)).collect::<Vec<_>>();
                let inputs: Vec<_> = (0..n.min(3)).map(input).collect();
                let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
                let step = if is_own(n) { format!("{n} of {build}") } else { n.to_string() };
                ids.push(chains.add(&RecordDigest::new(&step), &inputs, &[]).unwrap().unwrap());
            }
            merged.unite(&chains).unwrap();
        }
        merged
    }

    #[test]
    fn a_merge_of_builds_takes_at_most_a_quarter_of_the_steps_that_its_size_allows() {
        for links in [1, 3] {
            for every in [2, 10, 50, 1000] {
                let merged = merged_builds(links, |n| n % every == every - 1);
                let size = (merged.len() + merged.log.inputs.rows().items_len()) as u64;
                let within = within(6 * size, &merged, Rule::Closed);
                assert!(within.is_ok(), "{links} links, every {every}th step differs: {within:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        /// Law: a graph that is read within a budget is the graph that is read without one.
        #[test]
        fn a_budget_changes_no_graph(
            adds in prop::collection::vec(
                (0u8..3, prop::collection::vec(prop::collection::vec(0usize..20, 1..3), 0..3)),
                1..20,
            ),
            budget in 0u64..60,
            is_closed in any::<bool>(),
        ) {
            let chains = chains(&adds);
            let rule = if is_closed { Rule::Closed } else { Rule::BuildKit };
            if let Ok(graph) = within(budget, &chains, rule) {
                let free = chains.graph_by(rule).unwrap().marshal(&|_| true);
                let bounded = graph.marshal(&|_| true);
                prop_assert_eq!(bounded.config, free.config);
                prop_assert_eq!(bounded.warnings, free.warnings);
            }
        }
    }
}
