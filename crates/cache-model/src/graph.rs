//! The graph that a log stands for: records, each after the records that it depends on.
//!
//! Read-only. Every record has at least one link in each of its inputs, and no cycle is left.

use std::cmp::Ordering;

use crate::chains::{CacheChains, LogResult, RecordId};
use crate::draft::{Draft, DraftLink, shared_digests};
use crate::index::{
    DigestIx, Idx, IndexVec, InputIx, Inputs, LayerIx, NodeIx, OpIx, RecordIx, Rows, SelectorIx,
};
use crate::layers::{Layers, compression_bit};
use crate::{Compression, Descriptor, RecordDigest, Timestamp, close, overlap};

/// A graph of records, read from [`CacheChains`].
#[derive(Clone)]
pub struct Graph<'a> {
    pub(crate) chains: &'a CacheChains,
    pub(crate) digests: IndexVec<RecordIx, DigestIx>,
    pub(crate) inputs: Inputs<RecordIx, GraphLink>,
    pub(crate) results: Rows<RecordIx, LogResult>,
    record_of_op: IndexVec<OpIx, Option<RecordIx>>,
    pub(crate) left_out: Vec<DigestIx>,
    unsearched: u64,
}

/// A link to a record that comes earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GraphLink {
    pub(crate) source: RecordIx,
    pub(crate) selector: SelectorIx,
}

/// A record of a [`Graph`].
#[derive(Clone, Copy)]
pub struct RecordRef<'g> {
    graph: &'g Graph<'g>,
    record: RecordIx,
}

/// A link of a record of a [`Graph`].
#[derive(Clone, Copy)]
pub struct LinkRef<'g> {
    /// Which part of the source counts; empty for the whole.
    pub selector: &'g str,
    /// The record that the input depends on.
    pub source: RecordRef<'g>,
}

/// A result of a record of a [`Graph`].
#[derive(Clone, Copy)]
pub struct ResultRef<'g> {
    layers: &'g Layers,
    result: &'g LogResult,
}

/// A layer of a result: a descriptor on top of a parent layer. Results share the layers that they have in common.
#[derive(Clone, Copy)]
pub struct LayerRef<'g> {
    layers: &'g Layers,
    layer: LayerIx,
}

impl<'a> Graph<'a> {
    pub(crate) fn by_order(chains: &'a CacheChains) -> Self {
        Self::read(chains, overlap::draft)
    }

    pub(crate) fn closed(chains: &'a CacheChains) -> Self {
        Self::read(chains, close::draft)
    }

    fn read(
        chains: &'a CacheChains,
        overlapping: impl Fn(&CacheChains, &IndexVec<DigestIx, bool>) -> Draft,
    ) -> Self {
        match shared_digests(&chains.log, chains.digests.len()) {
            None => Self::from_draft(chains, &Draft::without_overlap(&chains.log)),
            Some(shared) => Self::from_draft(chains, &overlapping(chains, &shared)),
        }
    }

    /// Makes records of nodes, less those that are left with an input without links. Sources come first, so one pass
    /// settles it.
    fn from_draft(chains: &'a CacheChains, draft: &Draft) -> Self {
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
        let results = collect_results(chains, &record_of_op, digests.len());
        Self { chains, digests, inputs, results, record_of_op, left_out, unsearched: draft.unsearched }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distinct descriptors of the layers of all results. A blob that came with several has several.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let tops = self.results.items().filter_map(|result| result.layer);
        self.chains.layers.descriptors_of(tops).into_iter()
    }

    /// How many links there are.
    pub fn links_len(&self) -> usize {
        self.inputs.rows().items_len()
    }

    /// The records, each after those that it depends on.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = RecordRef<'_>> + ExactSizeIterator {
        self.digests.indices().map(|record| RecordRef { graph: self, record })
    }

    /// The record at a position of [`records`](Self::records).
    pub fn at(&self, position: usize) -> Option<RecordRef<'_>> {
        (position < self.len()).then(|| RecordRef { graph: self, record: RecordIx::new(position) })
    }

    /// The record that an added one has become part of; `None` for a foreign id or a record that was left out.
    pub fn record(&self, id: RecordId) -> Option<RecordRef<'_>> {
        let record = (*self.record_of_op.lookup(self.chains.op_of(id)?)?)?;
        Some(RecordRef { graph: self, record })
    }

    /// The digests of the records that were left out, because a link that would have closed a cycle was the last of
    /// one of their inputs, or because all records that an input of theirs depends on were left out.
    pub fn left_out(&self) -> impl ExactSizeIterator<Item = &RecordDigest> {
        self.left_out.iter().map(|digest| self.chains.digests.value(*digest))
    }

    /// How many links were left out unsearched: those of which it would have taken too long to find out whether they
    /// close cycles. 0 for every cache that a build exports, and for a closed graph; a config made to be slow has some.
    pub fn unsearched_links(&self) -> u64 {
        self.unsearched
    }

    /// The first add of each record.
    pub(crate) fn first_adds(&self) -> IndexVec<RecordIx, Option<OpIx>> {
        let mut first = IndexVec::filled(None, self.len());
        for (op, record) in self.record_of_op.iter_indexed() {
            if let Some(record) = record {
                first[*record].get_or_insert(op);
            }
        }
        first
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

/// Older before newer; of equal instants by the lists of blob digests.
pub(crate) fn cmp_results(layers: &Layers, a: &LogResult, b: &LogResult) -> Ordering {
    a.created_at.cmp(&b.created_at).then_with(|| match (a.chain(layers), b.chain(layers)) {
        (Some(a), Some(b)) => layers.cmp_chains(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    })
}

impl<'g> RecordRef<'g> {
    /// The position of the record in [`Graph::records`].
    pub fn position(self) -> usize {
        self.record.position()
    }

    /// The digest of its cache key.
    pub fn digest(self) -> &'g RecordDigest {
        self.graph.chains.digests.value(self.graph.digests[self.record])
    }

    /// How many inputs it has; a root has none.
    pub fn inputs_len(self) -> usize {
        self.graph.inputs.count(self.record)
    }

    /// Its inputs, each the links to the alternative records that it depends on.
    pub fn inputs(
        self,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = LinkRef<'g>> + use<'g>> + use<'g> {
        let graph = self.graph;
        graph.inputs.of(self.record).map(move |row| {
            row.iter().map(move |link| LinkRef {
                selector: graph.chains.selectors.value(link.selector),
                source: RecordRef { graph, record: link.source },
            })
        })
    }

    /// Its results, newest first. What has the same instant and the same list of blobs is one result.
    pub fn results(self) -> impl Iterator<Item = ResultRef<'g>> {
        let layers = &self.graph.chains.layers;
        let same = |a: &LogResult, b: &LogResult| cmp_results(layers, a, b).is_eq();
        // Those that are one stand side by side, the one to keep first.
        let groups = self.graph.results.row(self.record).chunk_by(same);
        groups.filter_map(move |group| group.first()).map(move |result| ResultRef { layers, result })
    }
}

impl<'g> ResultRef<'g> {
    /// Older before newer; of equal instants by the lists of blob digests, lowest layer first. Takes logarithmic time in
    /// the number of layers where both are of the same chains.
    pub fn cmp_by_age(self, other: Self) -> Ordering {
        if std::ptr::eq(self.layers, other.layers) {
            return cmp_results(self.layers, self.result, other.result);
        }
        let blobs = |result: Self| result.layers().into_iter().map(|layer| layer.digest);
        self.created_at().cmp(&other.created_at()).then_with(|| blobs(self).cmp(blobs(other)))
    }

    /// When it was made.
    pub fn created_at(self) -> Timestamp {
        self.result.created_at
    }

    /// How many layers it has.
    pub fn layers_len(self) -> usize {
        self.result.chain(self.layers).map_or(0, |chain| self.layers.depth(chain) as usize)
    }

    /// The size in bytes of all its layers together; takes constant time.
    pub fn size(self) -> u64 {
        self.result.layer.map_or(0, |layer| self.layers.total(layer))
    }

    /// Whether one of its layers at least has this compression; takes constant time.
    pub fn has_compression(self, compression: Compression) -> bool {
        self.compressions() & compression_bit(Some(compression)) != 0
    }

    /// Whether it has layers and all of them have this compression; takes constant time.
    pub fn has_only_compression(self, compression: Compression) -> bool {
        self.compressions() == compression_bit(Some(compression))
    }

    fn compressions(self) -> u8 {
        self.result.layer.map_or(0, |layer| self.layers.compressions(layer))
    }

    /// Its topmost layer.
    pub fn top(self) -> Option<LayerRef<'g>> {
        self.result.layer.map(|layer| LayerRef { layers: self.layers, layer })
    }

    /// Its layers, topmost first.
    pub fn layers_downwards(self) -> impl Iterator<Item = &'g Descriptor> {
        let layers = self.layers;
        let top = self.result.layer.into_iter();
        top.flat_map(move |top| layers.downwards(top)).map(move |layer| layers.layer_descriptor(layer))
    }

    /// Its layers, lowest first.
    pub fn layers(self) -> Vec<&'g Descriptor> {
        let mut list: Vec<_> = self.layers_downwards().collect();
        list.reverse();
        list
    }
}

impl<'g> LayerRef<'g> {
    /// A number that this layer has and no other of the same chains.
    pub fn position(self) -> usize {
        self.layer.position()
    }

    /// The descriptor of its blob.
    pub fn descriptor(self) -> &'g Descriptor {
        self.layers.layer_descriptor(self.layer)
    }

    /// The layer below it.
    pub fn parent(self) -> Option<Self> {
        let layer = self.layers.layer_parent(self.layer)?;
        Some(Self { layers: self.layers, layer })
    }
}

impl PartialEq for RecordRef<'_> {
    /// Whether it is the same record of the same graph.
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && std::ptr::eq(self.graph, other.graph)
    }
}

impl std::fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.position(), self.digest())
    }
}

impl std::fmt::Debug for Graph<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.records()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::Limits;
    use crate::{Link, MarshalWarning};

    /// The graph by BuildKit's rule, with so many links to follow.
    fn within(budget: u64, chains: &CacheChains) -> Graph<'_> {
        Graph::read(chains, |chains, shared| overlap::draft_within(budget, Limits::default(), chains, shared))
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
            let by_order = Graph::read(&chains, |c, shared| overlap::draft_within(u64::MAX, limits, c, shared));
            is_same(by_order, chains.graph())?;
            let closed = Graph::read(&chains, |c, shared| close::draft_within(limits, c, shared));
            is_same(closed, chains.close())?;
        }

        /// Law: whatever the budget, no cycle is left; and where it suffices, the graph is the one without a bound.
        #[test]
        fn a_budget_costs_links_and_nothing_else(
            adds in prop::collection::vec((0u8..4, prop::collection::vec(0usize..20, 0..3)), 1..20),
            budget in 0u64..30,
        ) {
            let chains = chains(&adds);
            let (bounded, free) = (within(budget, &chains), chains.graph());
            let marshalled = bounded.marshal(&|_| true);
            CacheChains::new().load(&marshalled.config, []).unwrap();
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
