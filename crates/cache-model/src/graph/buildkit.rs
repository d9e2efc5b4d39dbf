//! BuildKit's reading of a log: each add joins the records that it overlaps, in the order of the adds.
//!
//! Only adds whose digest another add has too can overlap anything, so only their links are indexed.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::arena::index::{DigestIx, EdgeIx, Idx, IndexVec, NodeIx, OpIx, Rows, SelectorIx};
use crate::chains::CacheChains;
use crate::chains::log::{Log, LogLink};
use crate::graph::bits::{Intersection, Limits, Sharers};
use crate::graph::draft::{Draft, DraftLink, DraftNode};
use crate::graph::order::{Direction, Neighbours, Order, Verdict};

/// How many links may be followed to find out whether others would close cycles: so many, and some for each link.
///
/// No cache that a build exports comes near it. Without a bound, a config of ten megabytes could ask for hours.
const BUDGET: u64 = 1 << 26;
const BUDGET_OF_A_LINK: u64 = 64;

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(chains: &CacheChains, shared: &IndexVec<DigestIx, bool>) -> Draft {
    let budget = BUDGET + BUDGET_OF_A_LINK * chains.log.inputs.rows().items_len() as u64;
    draft_within(budget, Limits::default(), chains, shared)
}

/// As [`draft`], following no more links than the budget allows to find out whether others would close cycles.
pub(crate) fn draft_within(
    budget: u64,
    limits: Limits,
    chains: &CacheChains,
    shared: &IndexVec<DigestIx, bool>,
) -> Draft {
    let mut overlap = Overlap {
        log: &chains.log,
        shared,
        limits,
        records: Records { nodes: IndexVec::new(), edges: IndexVec::new() },
        order: Order::new(budget),
        node_of_op: IndexVec::with_capacity(chains.log.len()),
        roots: IndexVec::filled(None, chains.digests.len()),
        alternatives: HashTable::new(),
        many: HashMap::default(),
        exact: HashTable::new(),
        unsearched: 0,
        state: RandomState::default(),
    };
    for op in chains.log.digests.indices() {
        let node = overlap.add(op);
        overlap.node_of_op.push(node);
    }
    overlap.finish()
}

struct Overlap<'a> {
    log: &'a Log,
    shared: &'a IndexVec<DigestIx, bool>,
    limits: Limits,
    records: Records,
    order: Order,
    node_of_op: IndexVec<OpIx, NodeIx>,
    roots: IndexVec<DigestIx, Option<NodeIx>>,
    /// The first edge of each [`Key`]; the others follow by `next_same`.
    alternatives: HashTable<EdgeIx>,
    /// The nodes that are linked by a key, for the first edge of each that many are linked by.
    many: HashMap<EdgeIx, Sharers, RandomState>,
    /// The edges by key and target.
    exact: HashTable<EdgeIx>,
    /// How many links were dropped because the budget was spent.
    unsearched: u64,
    state: RandomState,
}

/// The records so far and the edges between them, as lists through the edges.
struct Records {
    nodes: IndexVec<NodeIx, Node>,
    edges: IndexVec<EdgeIx, Edge>,
}

struct Node {
    digest: DigestIx,
    inputs: u32,
    first_in: Option<EdgeIx>,
    first_out: Option<EdgeIx>,
    /// How many edges were ever put into the two lists.
    weight: u32,
    /// The first of the records that were merged into this one.
    oldest: NodeIx,
    merged_into: Option<NodeIx>,
}

/// A link. A dead one is taken out of its lists when they are next walked.
#[derive(Clone, Copy)]
struct Edge {
    source: NodeIx,
    selector: SelectorIx,
    target: NodeIx,
    input: u32,
    alive: bool,
    next_in: Option<EdgeIx>,
    next_out: Option<EdgeIx>,
    next_same: Option<EdgeIx>,
    /// Of the first edge of a key: how many edges have that key.
    same: u32,
}

/// What BuildKit looks records up by: they are linked as this.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: NodeIx,
    selector: SelectorIx,
    input: u32,
    digest: DigestIx,
}

impl Records {
    fn key(&self, edge: &Edge) -> Key {
        let digest = self.nodes[edge.target].digest;
        Key { source: edge.source, selector: edge.selector, input: edge.input, digest }
    }

    /// The living edges of a node in a direction.
    fn list(&mut self, node: NodeIx, direction: Direction) -> Vec<EdgeIx> {
        let mut list = Vec::new();
        let mut next = self.first(node, direction);
        while let Some(edge) = next {
            list.push(edge);
            next = self.next(edge, direction);
        }
        list
    }

    /// Adds the targets of the living edges that have the key of `first`, which is the first of them.
    fn add_alternatives(&mut self, first: EdgeIx, found: &mut Vec<NodeIx>) {
        let (mut last, mut next) = (first, Some(first));
        while let Some(at) = next {
            let edge = self.edges[at];
            next = edge.next_same;
            if edge.alive {
                found.push(edge.target);
                last = at;
            } else if at != first {
                self.edges[last].next_same = next;
                self.edges[first].same -= 1;
            }
        }
    }

    /// The first living edge of the rest of a list.
    fn first_alive(&mut self, mut rest: Option<EdgeIx>, direction: Direction) -> Option<EdgeIx> {
        while let Some(edge) = rest.filter(|edge| !self.edges[*edge].alive) {
            rest = *self.edges[edge].next(direction);
        }
        rest
    }

    /// The record that a node has become part of.
    fn find(&mut self, node: NodeIx) -> NodeIx {
        let mut root = node;
        while let Some(next) = self.nodes[root].merged_into {
            root = next;
        }
        let mut at = node;
        while let Some(next) = self.nodes[at].merged_into {
            self.nodes[at].merged_into = Some(root);
            at = next;
        }
        root
    }
}

impl Neighbours for Records {
    fn first(&mut self, node: NodeIx, direction: Direction) -> Option<EdgeIx> {
        let Node { first_in, first_out, .. } = self.nodes[node];
        let first = match direction {
            Direction::ToSources => first_in,
            Direction::ToDependents => first_out,
        };
        let alive = self.first_alive(first, direction);
        let node = &mut self.nodes[node];
        *match direction {
            Direction::ToSources => &mut node.first_in,
            Direction::ToDependents => &mut node.first_out,
        } = alive;
        alive
    }

    fn next(&mut self, link: EdgeIx, direction: Direction) -> Option<EdgeIx> {
        let next = *self.edges[link].next(direction);
        let alive = self.first_alive(next, direction);
        *self.edges[link].next(direction) = alive;
        alive
    }

    fn end(&self, link: EdgeIx, direction: Direction) -> NodeIx {
        match direction {
            Direction::ToSources => self.edges[link].source,
            Direction::ToDependents => self.edges[link].target,
        }
    }
}

impl Edge {
    fn next(&mut self, direction: Direction) -> &mut Option<EdgeIx> {
        match direction {
            Direction::ToSources => &mut self.next_in,
            Direction::ToDependents => &mut self.next_out,
        }
    }
}

impl<'a> Overlap<'a> {
    fn add(&mut self, op: OpIx) -> NodeIx {
        let digest = self.log.digests[op];
        if self.log.inputs.count(op) == 0 {
            if let Some(root) = self.roots[digest] {
                return self.records.find(root);
            }
            let root = self.new_node(digest, 0);
            self.roots[digest] = Some(root);
            return root;
        }
        // Sources as they are now: an earlier merge may have moved them.
        let log = self.log;
        let inputs: Vec<Vec<DraftLink>> =
            log.inputs.of(op).map(|links| links.iter().map(|link| self.resolve(*link)).collect()).collect();
        let mut candidates = if self.shared[digest] { self.candidates(digest, &inputs) } else { Vec::new() };
        candidates.sort_unstable_by_key(|candidate| self.records.nodes[*candidate].oldest);
        match candidates.split_first() {
            None => {
                let node = self.new_node(digest, inputs.len());
                self.link_all(&inputs, node, false);
                node
            }
            Some((oldest, others)) => {
                let record = others.iter().fold(*oldest, |record, other| self.merge(record, *other));
                // A merge may have moved a source.
                let inputs: Vec<Vec<DraftLink>> = log
                    .inputs
                    .of(op)
                    .map(|links| links.iter().map(|link| self.resolve(*link)).collect())
                    .collect();
                self.link_all(&inputs, record, true);
                record
            }
        }
    }

    fn resolve(&mut self, link: LogLink) -> DraftLink {
        let source = self.records.find(self.node_of_op[link.source]);
        DraftLink { source, selector: link.selector }
    }

    fn new_node(&mut self, digest: DigestIx, inputs: usize) -> NodeIx {
        let inputs = u32::try_from(inputs).unwrap_or(u32::MAX);
        let node = self.order.push();
        let (first_in, first_out, merged_into) = (None, None, None);
        self.records.nodes.push(Node {
            digest,
            inputs,
            first_in,
            first_out,
            weight: 0,
            oldest: node,
            merged_into,
        })
    }

    /// The records of `digest` that are linked, in every given input, with one of the links given for it.
    ///
    /// Starts from the input that the fewest records share. Where these are so many that looking up each takes long,
    /// those of all inputs are intersected as sets.
    fn candidates(&mut self, digest: DigestIx, inputs: &[Vec<DraftLink>]) -> Vec<NodeIx> {
        let mut fewest_first: SmallVec<[(usize, u32, &[DraftLink]); 4]> = SmallVec::new();
        for (input, links) in (0u32..).zip(inputs) {
            let sharing = links.iter().map(|link| self.sharing(&key(link, input, digest))).sum();
            if sharing == 0 {
                return Vec::new();
            }
            fewest_first.push((sharing, input, links));
        }
        fewest_first.sort_unstable_by_key(|(sharing, ..)| *sharing);
        let Some(((fewest, first, links), others)) = fewest_first.split_first() else { return Vec::new() };
        let other_links: usize = others.iter().map(|(.., links)| links.len()).sum();
        if !self.limits.are_few_lookups(fewest.saturating_mul(other_links), self.records.nodes.len()) {
            return self.intersection(digest, &fewest_first);
        }
        let mut found = Vec::new();
        for link in *links {
            if let Some(edge) = self.first_alternative(&key(link, *first, digest)) {
                self.records.add_alternatives(edge, &mut found);
            }
        }
        found.retain(|candidate| {
            others.iter().all(|(_, input, links)| {
                links.iter().any(|link| self.is_linked(&key(link, *input, digest), *candidate))
            })
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// As [`candidates`](Self::candidates), from the sets of those that share an input.
    fn intersection(&mut self, digest: DigestIx, inputs: &[(usize, u32, &[DraftLink])]) -> Vec<NodeIx> {
        let (mut shared, mut listed) = (Intersection::default(), Vec::new());
        for (_, input, links) in inputs {
            let firsts = links.iter().filter_map(|link| self.first_alternative(&key(link, *input, digest)));
            let firsts: SmallVec<[EdgeIx; 4]> = firsts.collect();
            if let [first] = firsts.as_slice()
                && let Some(sharers) = self.many.get(first)
            {
                shared.input(sharers);
            } else {
                for first in firsts {
                    if let Some(sharers) = self.many.get(&first) {
                        shared.open_input().unite(sharers.bits());
                    } else {
                        self.records.add_alternatives(first, &mut listed);
                        listed.drain(..).for_each(|node| {
                            shared.open_input().insert(node.position());
                        });
                    }
                }
                shared.end_input();
            }
            if shared.is_empty() {
                break;
            }
        }
        let found: Vec<NodeIx> = shared.iter().map(NodeIx::new).collect();
        debug_assert!(found.iter().all(|node| self.records.nodes[*node].merged_into.is_none()));
        found
    }

    /// How many records are linked as a key says, and perhaps some more.
    fn sharing(&self, key: &Key) -> usize {
        let Some(first) = self.first_alternative(key) else { return 0 };
        let same = self.records.edges[first].same as usize;
        if self.many.is_empty() { same } else { self.many.get(&first).map_or(same, Sharers::len) }
    }

    fn first_alternative(&self, key: &Key) -> Option<EdgeIx> {
        let same_key = |edge: &EdgeIx| self.records.key(&self.records.edges[*edge]) == *key;
        self.alternatives.find(self.state.hash_one(key), same_key).copied()
    }

    fn is_linked(&self, key: &Key, target: NodeIx) -> bool {
        let same = |at: &EdgeIx| {
            let edge = &self.records.edges[*at];
            edge.target == target && edge.alive && self.records.key(edge) == *key
        };
        self.exact.find(self.state.hash_one((key, target)), same).is_some()
    }

    fn link_all(&mut self, inputs: &[Vec<DraftLink>], target: NodeIx, existed: bool) {
        for (input, links) in (0u32..).zip(inputs) {
            for link in links {
                self.link(*link, input, target, existed);
            }
        }
        let count = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let node = &mut self.records.nodes[target];
        node.inputs = node.inputs.max(count);
    }

    /// Adds a link, unless it is there already or would close a cycle. A new record's cannot.
    fn link(&mut self, link: DraftLink, input: u32, target: NodeIx, may_close_cycle: bool) {
        let digest = self.records.nodes[target].digest;
        let key = key(&link, input, digest);
        let is_indexed = self.shared[digest];
        if is_indexed && self.is_linked(&key, target) {
            return;
        }
        if may_close_cycle {
            match self.order.allow(&mut self.records, link.source, target) {
                Verdict::Open => {}
                Verdict::Cycle => return,
                Verdict::Unknown => {
                    self.unsearched += 1;
                    return;
                }
            }
        }
        let edge = self.records.edges.push(Edge {
            source: link.source,
            selector: link.selector,
            target,
            input,
            alive: true,
            next_in: self.records.nodes[target].first_in,
            next_out: self.records.nodes[link.source].first_out,
            next_same: None,
            same: 1,
        });
        self.records.nodes[target].first_in = Some(edge);
        self.records.nodes[target].weight += 1;
        self.records.nodes[link.source].first_out = Some(edge);
        self.records.nodes[link.source].weight += 1;
        if is_indexed {
            self.index(edge, &key, target);
        }
    }

    fn index(&mut self, edge: EdgeIx, key: &Key, target: NodeIx) {
        if let Some(first) = self.first_alternative(key) {
            self.records.edges[edge].next_same = self.records.edges[first].next_same;
            self.records.edges[first].next_same = Some(edge);
            self.records.edges[first].same += 1;
            self.count_sharer(first, target);
        } else {
            let Self { alternatives, records, state, .. } = self;
            let rehash = |at: &EdgeIx| state.hash_one(records.key(&records.edges[*at]));
            alternatives.insert_unique(state.hash_one(key), edge, rehash);
        }
        let Self { exact, records, state, .. } = self;
        let rehash = |at: &EdgeIx| {
            let edge = &records.edges[*at];
            state.hash_one((&records.key(edge), edge.target))
        };
        exact.insert_unique(state.hash_one((key, target)), edge, rehash);
    }

    /// Notes that one more record is linked by the key of `first`. A set is made only when they are twice as many as one
    /// is kept for, so that it is not made again and again.
    fn count_sharer(&mut self, first: EdgeIx, target: NodeIx) {
        let nodes = self.records.nodes.len();
        if let Some(sharers) = self.many.get_mut(&first) {
            sharers.insert(target.position());
            if !self.limits.are_many(sharers.len(), nodes) {
                self.many.remove(&first);
            }
        } else if self.limits.are_many(self.records.edges[first].same as usize, 2 * nodes) {
            let mut listed = Vec::new();
            self.records.add_alternatives(first, &mut listed);
            self.many.insert(first, listed.into_iter().map(Idx::position).collect());
        }
    }

    fn kill(&mut self, edges: &[EdgeIx]) {
        for edge in edges {
            self.records.edges[*edge].alive = false;
            if self.many.is_empty() {
                continue;
            }
            let edge = self.records.edges[*edge];
            let first = self.first_alternative(&self.records.key(&edge));
            if let Some(sharers) = first.and_then(|first| self.many.get_mut(&first)) {
                sharers.remove(edge.target.position());
            }
        }
    }

    /// Makes two records one: the links of both, from and to, less those of the younger one that would close a cycle.
    /// Gives the one that is left.
    ///
    /// Whichever has fewer links is moved, so that a record with many is not moved again and again.
    fn merge(&mut self, older: NodeIx, younger: NodeIx) -> NodeIx {
        let nodes = &self.records.nodes;
        let (inputs, oldest) = (nodes[older].inputs.max(nodes[younger].inputs), nodes[older].oldest);
        let (kept, moved) =
            if nodes[older].weight >= nodes[younger].weight { (older, younger) } else { (younger, older) };
        let between = self.order.links_between(&mut self.records, older, younger, moved);
        self.kill(&between.links);
        if !between.is_exact {
            self.unsearched += between.links.len() as u64;
        }
        self.records.nodes[kept].inputs = inputs;
        self.records.nodes[kept].oldest = oldest;
        self.records.nodes[moved].merged_into = Some(kept);
        let from = self.records.list(moved, Direction::ToSources);
        let to = self.records.list(moved, Direction::ToDependents);
        self.kill(&from);
        self.kill(&to);
        for edge in from {
            let Edge { source, selector, input, .. } = self.records.edges[edge];
            self.link(DraftLink { source, selector }, input, kept, true);
        }
        for edge in to {
            let Edge { selector, input, target, .. } = self.records.edges[edge];
            self.link(DraftLink { source: kept, selector }, input, target, true);
        }
        kept
    }

    fn finish(mut self) -> Draft {
        for op in self.node_of_op.indices() {
            self.node_of_op[op] = self.records.find(self.node_of_op[op]);
        }
        let records = &mut self.records;
        let mut live: Vec<NodeIx> =
            records.nodes.indices().filter(|node| records.nodes[*node].merged_into.is_none()).collect();
        live.sort_unstable_by_key(|node| self.order.label(*node));

        let mut draft = Draft {
            node_of_op: self.node_of_op,
            nodes: records.nodes.len(),
            order: Vec::with_capacity(live.len()),
            inputs: Rows::with_capacity(live.len(), records.edges.len()),
            unsearched: self.unsearched,
        };
        let mut links: Vec<(u32, DraftLink)> = Vec::new();
        for node in live {
            links.clear();
            let mut next = records.first(node, Direction::ToSources);
            while let Some(edge) = next {
                let Edge { source, selector, input, .. } = records.edges[edge];
                links.push((input, DraftLink { source, selector }));
                next = records.next(edge, Direction::ToSources);
            }
            let Node { digest, inputs, .. } = records.nodes[node];
            draft.push(DraftNode { node, digest, inputs }, &mut links);
        }
        draft
    }
}

fn key(link: &DraftLink, input: u32, digest: DigestIx) -> Key {
    Key { source: link.source, selector: link.selector, input, digest }
}
