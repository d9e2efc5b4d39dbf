//! BuildKit's rule: each add joins the records that it overlaps, in the order of the adds.
//!
//! An add can only overlap adds of the same digest. So the links of a digest that a single add has are never looked up.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::arena::index::{DigestIx, EdgeIx, IndexVec, NodeIx, OpIx, Rows};
use crate::chains::CacheChains;
use crate::chains::log::{Log, LogLink};
use crate::graph::budget::{Budget, ReadError, Spent};
use crate::graph::draft::{Draft, DraftLink, DraftNode};
use crate::graph::order::Order;
use crate::graph::records::{Direction, Edge, Key, Node, Records};

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(
    chains: &CacheChains,
    shared: &IndexVec<DigestIx, bool>,
    budget: &mut Budget,
) -> Result<Draft, ReadError> {
    let mut joining = Joining {
        log: &chains.log,
        shared,
        budget,
        records: Records::new(),
        order: Order::new(),
        node_of_op: IndexVec::with_capacity(chains.log.len()),
        roots: IndexVec::filled(None, chains.digests.len()),
        first_same: HashTable::new(),
        exact: HashTable::new(),
        state: RandomState::default(),
    };
    for (op, digest) in chains.log.digests.iter_indexed() {
        let node = joining.add(op).map_err(|Spent| joining.budget.error(chains, *digest))?;
        joining.node_of_op.push(node);
    }
    Ok(joining.finish())
}

struct Joining<'a> {
    log: &'a Log,
    shared: &'a IndexVec<DigestIx, bool>,
    budget: &'a mut Budget,
    records: Records,
    order: Order,
    node_of_op: IndexVec<OpIx, NodeIx>,
    roots: IndexVec<DigestIx, Option<NodeIx>>,
    /// The first link of each [`Key`]; the other links of the key follow by `next_same`.
    first_same: HashTable<EdgeIx>,
    /// The links by key and target.
    exact: HashTable<EdgeIx>,
    state: RandomState,
}

impl Joining<'_> {
    fn add(&mut self, op: OpIx) -> Result<NodeIx, Spent> {
        let digest = self.log.digests[op];
        if self.log.inputs.count(op) == 0 {
            if let Some(root) = self.roots[digest] {
                return Ok(self.records.find(root));
            }
            let root = self.new_record(digest, 0);
            self.roots[digest] = Some(root);
            return Ok(root);
        }
        let inputs = self.inputs(op);
        let mut candidates = if self.shared[digest] { self.candidates(digest, &inputs)? } else { Vec::new() };
        candidates.sort_unstable_by_key(|candidate| self.records.nodes[*candidate].oldest);
        let Some((oldest, others)) = candidates.split_first() else {
            let record = self.new_record(digest, inputs.len());
            self.link_all(&inputs, record, false)?;
            return Ok(record);
        };
        let mut record = *oldest;
        for other in others {
            record = self.merge(record, *other)?;
        }
        // Merging may have replaced a source.
        let inputs = self.inputs(op);
        self.link_all(&inputs, record, true)?;
        Ok(record)
    }

    /// The links of an add, to the records that its sources are part of now.
    fn inputs(&mut self, op: OpIx) -> Vec<Vec<DraftLink>> {
        let log = self.log;
        log.inputs.of(op).map(|links| links.iter().map(|link| self.resolve(*link)).collect()).collect()
    }

    fn resolve(&mut self, link: LogLink) -> DraftLink {
        let source = self.records.find(self.node_of_op[link.source]);
        DraftLink { source, selector: link.selector }
    }

    fn new_record(&mut self, digest: DigestIx, inputs: usize) -> NodeIx {
        self.order.push();
        self.records.push(digest, u32::try_from(inputs).unwrap_or(u32::MAX))
    }

    /// The records of `digest` that have at least one of the given links in every given input.
    ///
    /// Only the records that share the rarest input are checked, so many records that share another input cost nothing.
    fn candidates(&mut self, digest: DigestIx, inputs: &[Vec<DraftLink>]) -> Result<Vec<NodeIx>, Spent> {
        let mut rarest: Option<(usize, u32, &[DraftLink])> = None;
        for (input, links) in (0u32..).zip(inputs) {
            let firsts = links.iter().filter_map(|link| self.first_same(&key(link, input, digest)));
            let sharing = firsts.map(|first| self.records.edges[first].same as usize).sum();
            if sharing == 0 {
                return Ok(Vec::new());
            }
            if rarest.is_none_or(|(least, ..)| sharing < least) {
                rarest = Some((sharing, input, links));
            }
        }
        let Some((sharing, rarest, links)) = rarest else { return Ok(Vec::new()) };
        let lookups: usize = inputs.iter().map(Vec::len).sum();
        self.budget.spend(sharing.saturating_mul(lookups))?;
        let mut found = Vec::new();
        for link in links {
            if let Some(first) = self.first_same(&key(link, rarest, digest)) {
                self.records.targets_of_same(first, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|candidate| {
            (0u32..).zip(inputs).all(|(input, links)| {
                input == rarest
                    || links.iter().any(|link| self.is_linked(&key(link, input, digest), *candidate))
            })
        });
        Ok(found)
    }

    fn first_same(&self, key: &Key) -> Option<EdgeIx> {
        let is_same = |edge: &EdgeIx| self.records.key(*edge) == *key;
        self.first_same.find(self.state.hash_one(key), is_same).copied()
    }

    fn is_linked(&self, key: &Key, target: NodeIx) -> bool {
        let is_exact = |edge: &EdgeIx| {
            let Edge { alive, target: of, .. } = self.records.edges[*edge];
            of == target && alive && self.records.key(*edge) == *key
        };
        self.exact.find(self.state.hash_one((key, target)), is_exact).is_some()
    }

    fn link_all(
        &mut self,
        inputs: &[Vec<DraftLink>],
        target: NodeIx,
        may_close_cycle: bool,
    ) -> Result<(), Spent> {
        for (input, links) in (0u32..).zip(inputs) {
            for link in links {
                self.link(*link, input, target, may_close_cycle)?;
            }
        }
        let count = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let node = &mut self.records.nodes[target];
        node.inputs = node.inputs.max(count);
        Ok(())
    }

    /// Adds a link, unless the record has it already or it would close a cycle. The links of a new record cannot close
    /// cycles.
    fn link(
        &mut self,
        link: DraftLink,
        input: u32,
        target: NodeIx,
        may_close_cycle: bool,
    ) -> Result<(), Spent> {
        let digest = self.records.nodes[target].digest;
        let key = key(&link, input, digest);
        let is_indexed = self.shared[digest];
        if is_indexed && self.is_linked(&key, target) {
            return Ok(());
        }
        if may_close_cycle && !self.order.allow(&self.records, self.budget, link.source, target)? {
            return Ok(());
        }
        let edge = self.records.link(link.source, link.selector, target, input);
        if is_indexed {
            self.index(edge, &key, target);
        }
        Ok(())
    }

    fn index(&mut self, edge: EdgeIx, key: &Key, target: NodeIx) {
        if let Some(first) = self.first_same(key) {
            let edges = &mut self.records.edges;
            edges[edge].next_same = edges[first].next_same.replace(edge);
            edges[first].same += 1;
        } else {
            let Self { first_same, records, state, .. } = self;
            let rehash = |edge: &EdgeIx| state.hash_one(records.key(*edge));
            first_same.insert_unique(state.hash_one(key), edge, rehash);
        }
        let Self { exact, records, state, .. } = self;
        let rehash = |edge: &EdgeIx| state.hash_one((&records.key(*edge), records.edges[*edge].target));
        exact.insert_unique(state.hash_one((key, target)), edge, rehash);
    }

    /// Merges two records and gives the merged one. It has the links to and from both, except for links of the younger
    /// that would close a cycle.
    ///
    /// The record with fewer links is moved, so that a record with many links is not moved over and over.
    fn merge(&mut self, older: NodeIx, younger: NodeIx) -> Result<NodeIx, Spent> {
        let closing = self.order.links_between(&self.records, self.budget, older, younger)?;
        self.records.remove(&closing);
        let nodes = &mut self.records.nodes;
        let (inputs, oldest) = (nodes[older].inputs.max(nodes[younger].inputs), nodes[older].oldest);
        let (kept, moved) =
            if nodes[older].weight >= nodes[younger].weight { (older, younger) } else { (younger, older) };
        nodes[kept].inputs = inputs;
        nodes[kept].oldest = oldest;
        nodes[moved].merged_into = Some(kept);
        self.budget.spend(nodes[moved].weight as usize)?;
        let from: Vec<EdgeIx> = self.records.links(moved, Direction::ToSources).collect();
        let to: Vec<EdgeIx> = self.records.links(moved, Direction::ToDependents).collect();
        self.records.remove(&from);
        self.records.remove(&to);
        for edge in from {
            let Edge { source, selector, input, .. } = self.records.edges[edge];
            self.link(DraftLink { source, selector }, input, kept, true)?;
        }
        for edge in to {
            let Edge { selector, input, target, .. } = self.records.edges[edge];
            self.link(DraftLink { source: kept, selector }, input, target, true)?;
        }
        Ok(kept)
    }

    fn finish(mut self) -> Draft {
        for op in self.node_of_op.indices() {
            self.node_of_op[op] = self.records.find(self.node_of_op[op]);
        }
        let records = &self.records;
        let mut live: Vec<NodeIx> =
            records.nodes.indices().filter(|node| records.nodes[*node].merged_into.is_none()).collect();
        live.sort_unstable_by_key(|node| self.order.position(*node));

        let mut draft = Draft {
            node_of_op: self.node_of_op,
            nodes: records.nodes.len(),
            order: Vec::with_capacity(live.len()),
            inputs: Rows::with_capacity(live.len(), records.edges.len()),
        };
        let mut links: Vec<(u32, DraftLink)> = Vec::new();
        for node in live {
            links.clear();
            links.extend(records.links(node, Direction::ToSources).map(|edge| {
                let Edge { source, selector, input, .. } = records.edges[edge];
                (input, DraftLink { source, selector })
            }));
            let Node { digest, inputs, .. } = records.nodes[node];
            draft.push(DraftNode { node, digest, inputs }, &mut links);
        }
        draft
    }
}

fn key(link: &DraftLink, input: u32, digest: DigestIx) -> Key {
    Key { source: link.source, selector: link.selector, input, digest }
}
