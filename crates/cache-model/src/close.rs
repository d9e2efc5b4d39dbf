//! The closed reading of a log: records that overlap are one, whatever the order in which they came.
//!
//! Classes of adds grow until none shares a link in every input with another of its digest and number of inputs;
//! then the links within a cycle of classes are left out. Nothing is dropped before all is known.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::chains::{CacheChains, Log};
use crate::cycles::components;
use crate::draft::{Draft, DraftLink, DraftNode};
use crate::index::{DigestIx, EdgeIx, EntryIx, Idx, IndexVec, NodeIx, OpIx, Rows, SelectorIx};

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(chains: &CacheChains, shared: &IndexVec<DigestIx, bool>) -> Draft {
    let ops = chains.log.len();
    let mut closing = Closing {
        log: &chains.log,
        classes: Classes::new(ops),
        edges: IndexVec::new(),
        next_same: IndexVec::new(),
        in_edges: Lists::new(ops),
        out_edges: Lists::new(ops),
        alternatives: HashTable::new(),
        state: RandomState::default(),
        queue: Vec::new(),
        queued: IndexVec::filled(false, ops),
    };
    let mut roots: IndexVec<DigestIx, Option<OpIx>> = IndexVec::filled(None, chains.digests.len());
    for (op, digest) in chains.log.digests.iter_indexed() {
        if !shared[*digest] {
            continue;
        }
        if chains.log.inputs.count(op) == 0 {
            let root = *roots[*digest].get_or_insert(op);
            closing.unite(root, op);
        } else {
            closing.register_links(op);
            closing.enqueue(op);
        }
    }
    closing.run();
    closing.finish()
}

struct Closing<'a> {
    log: &'a Log,
    classes: Classes,
    /// The links of the adds that may overlap others.
    edges: IndexVec<EdgeIx, Edge>,
    next_same: IndexVec<EntryIx, (EdgeIx, Option<EntryIx>)>,
    in_edges: Lists,
    out_edges: Lists,
    alternatives: HashTable<Alternatives>,
    state: RandomState,
    queue: Vec<OpIx>,
    queued: IndexVec<OpIx, bool>,
}

#[derive(Clone, Copy)]
struct Edge {
    source: OpIx,
    selector: SelectorIx,
    target: OpIx,
    input: u32,
}

/// What classes are looked up by: they are linked as this. `source` is a class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    input: u32,
    source: OpIx,
    selector: SelectorIx,
    inputs: u32,
    digest: DigestIx,
}

/// The edges that have one key.
#[derive(Clone, Copy)]
struct Alternatives {
    key: Key,
    /// The latest; the others follow by `next_same`.
    latest: EntryIx,
    count: u32,
}

/// Disjoint sets of adds.
struct Classes {
    parent: IndexVec<OpIx, OpIx>,
    weight: IndexVec<OpIx, u32>,
}

impl Classes {
    fn new(ops: usize) -> Self {
        let parent = IndexVec::from_vec((0..ops).map(OpIx::new).collect());
        Self { parent, weight: IndexVec::filled(1, ops) }
    }

    fn find(&mut self, op: OpIx) -> OpIx {
        let mut root = op;
        while self.parent[root] != root {
            root = self.parent[root];
        }
        let mut at = op;
        while at != root {
            at = std::mem::replace(&mut self.parent[at], root);
        }
        root
    }
}

/// A list of edges for each class; two are joined in constant time.
struct Lists {
    ends: IndexVec<OpIx, Option<(EdgeIx, EdgeIx)>>,
    next: IndexVec<EdgeIx, Option<EdgeIx>>,
}

impl Lists {
    fn new(ops: usize) -> Self {
        Self { ends: IndexVec::filled(None, ops), next: IndexVec::new() }
    }

    fn push(&mut self, class: OpIx, edge: EdgeIx) {
        self.next.grow(None, edge.position() + 1);
        self.ends[class] = match self.ends[class] {
            None => Some((edge, edge)),
            Some((first, last)) => {
                self.next[last] = Some(edge);
                Some((first, edge))
            }
        };
    }

    fn join(&mut self, class: OpIx, other: OpIx) {
        let Some((first, last)) = self.ends[other].take() else { return };
        self.ends[class] = match self.ends[class] {
            None => Some((first, last)),
            Some((start, end)) => {
                self.next[end] = Some(first);
                Some((start, last))
            }
        };
    }

    fn of(&self, class: OpIx) -> impl Iterator<Item = EdgeIx> {
        let first = self.ends[class].map(|(first, _)| first);
        std::iter::successors(first, |edge| self.next[*edge])
    }
}

impl Closing<'_> {
    fn register_links(&mut self, op: OpIx) {
        let log = self.log;
        for (input, links) in (0u32..).zip(log.inputs.of(op)) {
            for link in links {
                let edge =
                    self.edges.push(Edge { source: link.source, selector: link.selector, target: op, input });
                let source = self.classes.find(link.source);
                self.in_edges.push(op, edge);
                self.out_edges.push(source, edge);
                self.index(edge);
            }
        }
    }

    fn key(&mut self, edge: EdgeIx) -> Key {
        let Edge { source, selector, target, input } = self.edges[edge];
        let inputs = u32::try_from(self.log.inputs.count(target)).unwrap_or(u32::MAX);
        let digest = self.log.digests[target];
        Key { source: self.classes.find(source), selector, input, inputs, digest }
    }

    /// Enters an edge under the key that it has now.
    fn index(&mut self, edge: EdgeIx) {
        let key = self.key(edge);
        let hash = self.state.hash_one(key);
        let state = &self.state;
        let entry = self.alternatives.entry(hash, |at| at.key == key, |at| state.hash_one(at.key));
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.latest = self.next_same.push((edge, Some(known.latest)));
                known.count += 1;
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                let latest = self.next_same.push((edge, None));
                free.insert(Alternatives { key, latest, count: 1 });
            }
        }
    }

    fn alternatives(&self, key: &Key) -> Option<Alternatives> {
        self.alternatives.find(self.state.hash_one(key), |at| at.key == *key).copied()
    }

    fn enqueue(&mut self, class: OpIx) {
        if !std::mem::replace(&mut self.queued[class], true) {
            self.queue.push(class);
        }
    }

    fn run(&mut self) {
        while let Some(class) = self.queue.pop() {
            self.queued[class] = false;
            let class = self.classes.find(class);
            for other in self.overlapping(class) {
                self.unite(class, other);
            }
        }
    }

    /// The classes that share, in every input, a link with `class`.
    ///
    /// Starts from the input that the fewest links share, so that many records which share one input but not another
    /// do not make each other slow.
    fn overlapping(&mut self, class: OpIx) -> Vec<OpIx> {
        let keys = self.keys(class);
        let sharing = |of_input: &&[Key]| -> u64 {
            let each = of_input.iter().filter_map(|key| self.alternatives(key));
            each.map(|found| u64::from(found.count)).sum()
        };
        let Some(rarest) = keys.chunk_by(|a, b| a.input == b.input).min_by_key(sharing) else {
            return Vec::new();
        };
        let mut others = Vec::new();
        for key in rarest {
            let mut next = self.alternatives(key).map(|found| found.latest);
            while let Some(entry) = next {
                let (edge, after) = self.next_same[entry];
                others.push(self.classes.find(self.edges[edge].target));
                next = after;
            }
        }
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != class && self.shares_all_inputs(*other, &keys));
        others
    }

    /// The distinct keys of a class's links, sorted, so that those of an input stand together.
    fn keys(&mut self, class: OpIx) -> Vec<Key> {
        let edges: Vec<EdgeIx> = self.in_edges.of(class).collect();
        let mut keys: Vec<Key> = edges.into_iter().map(|edge| self.key(edge)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether a class has, in each input, one of these keys, which are sorted.
    fn shares_all_inputs(&mut self, class: OpIx, keys: &[Key]) -> bool {
        let Some(inputs) = keys.last().map(|last| last.input + 1) else { return false };
        let mut shared = self.keys(class);
        shared.retain(|key| keys.binary_search(key).is_ok());
        shared.dedup_by_key(|key| key.input);
        u64::try_from(shared.len()) == Ok(u64::from(inputs))
    }

    /// Makes two classes one: the links from the lighter are entered anew under the heavier, and whoever has them is
    /// looked at again.
    fn unite(&mut self, a: OpIx, b: OpIx) {
        let (a, b) = (self.classes.find(a), self.classes.find(b));
        if a == b {
            return;
        }
        let (heavy, light) = if self.classes.weight[a] >= self.classes.weight[b] { (a, b) } else { (b, a) };
        self.classes.parent[light] = heavy;
        let moved: Vec<EdgeIx> = self.out_edges.of(light).collect();
        let weight =
            u32::try_from(moved.len()).unwrap_or(u32::MAX).saturating_add(self.classes.weight[light]);
        self.classes.weight[heavy] = self.classes.weight[heavy].saturating_add(weight);
        self.in_edges.join(heavy, light);
        self.out_edges.join(heavy, light);
        for edge in moved {
            self.index(edge);
            let target = self.edges[edge].target;
            let target = self.classes.find(target);
            self.enqueue(target);
        }
        if self.in_edges.of(heavy).next().is_some() {
            self.enqueue(heavy);
        }
    }

    fn finish(mut self) -> Draft {
        let log = self.log;
        let mut nodes = 0;
        let mut node_of_class: IndexVec<OpIx, Option<NodeIx>> = IndexVec::filled(None, log.len());
        let mut node_of_op = IndexVec::with_capacity(log.len());
        let mut ops_of_node: IndexVec<NodeIx, Vec<OpIx>> = IndexVec::new();
        for op in log.digests.indices() {
            let class = self.classes.find(op);
            let node = *node_of_class[class].get_or_insert_with(|| {
                nodes += 1;
                ops_of_node.push(Vec::new())
            });
            ops_of_node[node].push(op);
            node_of_op.push(node);
        }
        let sources = |node: NodeIx| {
            let ops = ops_of_node[node].iter();
            let links = ops.flat_map(|op| log.inputs.of(*op).flatten());
            links.map(|link| node_of_op[link.source])
        };
        let (component, sources_first) = components(nodes, sources);

        let mut draft = Draft {
            node_of_op: IndexVec::new(),
            nodes,
            order: Vec::with_capacity(nodes),
            inputs: Rows::with_capacity(log.inputs.rows().len(), log.inputs.rows().items_len()),
        };
        let mut links: Vec<(u32, DraftLink)> = Vec::new();
        for node in sources_first {
            links.clear();
            for op in &ops_of_node[node] {
                for (input, row) in (0u32..).zip(log.inputs.of(*op)) {
                    let resolved = row
                        .iter()
                        .map(|link| DraftLink { source: node_of_op[link.source], selector: link.selector });
                    let outside = resolved.filter(|link| component[link.source] != component[node]);
                    links.extend(outside.map(|link| (input, link)));
                }
            }
            // All adds of a class have one digest and one number of inputs.
            if let Some(op) = ops_of_node[node].first() {
                let inputs = u32::try_from(log.inputs.count(*op)).unwrap_or(u32::MAX);
                draft.push(DraftNode { node, digest: log.digests[*op], inputs }, &mut links);
            }
        }
        draft.node_of_op = node_of_op;
        draft
    }
}
