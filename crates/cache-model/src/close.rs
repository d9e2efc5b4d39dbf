//! The closed reading of a log: records that overlap are one, whatever the order in which they came.
//!
//! Classes of adds grow until none shares a link in every input with another of its digest and number of inputs;
//! then the links within a cycle of classes are left out. Nothing is dropped before all is known.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::chains::{CacheChains, Log};
use crate::cycles::components;
use crate::draft::{Draft, DraftLink, DraftNode};
use crate::index::{DigestIx, EdgeIx, Idx, IndexVec, NodeIx, OpIx, Rows, SelectorIx};

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(chains: &CacheChains, shared: &IndexVec<DigestIx, bool>) -> Draft {
    let ops = chains.log.len();
    let mut closing = Closing {
        log: &chains.log,
        classes: Classes::new(ops),
        edges: IndexVec::new(),
        in_edges: Lists::new(ops),
        out_edges: Lists::new(ops),
        sharing: HashMap::default(),
        linked: HashSet::default(),
        signatures: IndexVec::filled(0, ops),
        settled: IndexVec::filled(false, ops),
        queue: Vec::new(),
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
    in_edges: Lists,
    out_edges: Lists,
    /// The classes that are linked as a key says, some of them by names that they no longer have.
    sharing: HashMap<Key, SmallVec<[OpIx; 4]>, RandomState>,
    /// The same by class and key.
    linked: HashSet<(OpIx, Key), RandomState>,
    /// For each class the bits of the keys that it is linked as, and perhaps some more: what two have no bit of in
    /// common, they do not share.
    signatures: IndexVec<OpIx, u64>,
    /// Classes that were compared with all that they could be one with, and not linked anew since.
    settled: IndexVec<OpIx, bool>,
    /// Edges that link their class in a way in which it was not linked before.
    queue: Vec<EdgeIx>,
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

/// Disjoint sets of adds.
struct Classes {
    parent: IndexVec<OpIx, OpIx>,
}

impl Classes {
    fn new(ops: usize) -> Self {
        Self { parent: IndexVec::from_vec((0..ops).map(OpIx::new).collect()) }
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
    lens: IndexVec<OpIx, u32>,
    next: IndexVec<EdgeIx, Option<EdgeIx>>,
}

impl Lists {
    fn new(ops: usize) -> Self {
        Self { ends: IndexVec::filled(None, ops), lens: IndexVec::filled(0, ops), next: IndexVec::new() }
    }

    fn push(&mut self, class: OpIx, edge: EdgeIx) {
        self.next.grow(None, edge.position() + 1);
        self.lens[class] += 1;
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
        self.lens[class] += std::mem::take(&mut self.lens[other]);
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
                self.note(edge);
            }
        }
    }

    fn key(&mut self, edge: EdgeIx) -> Key {
        let Edge { source, selector, target, input } = self.edges[edge];
        let inputs = u32::try_from(self.log.inputs.count(target)).unwrap_or(u32::MAX);
        let digest = self.log.digests[target];
        Key { source: self.classes.find(source), selector, input, inputs, digest }
    }

    /// Notes how an edge links its class now. If nothing did so before, the class may share a link that it did not.
    fn note(&mut self, edge: EdgeIx) {
        let key = self.key(edge);
        let class = self.classes.find(self.edges[edge].target);
        if self.linked.insert((class, key)) {
            self.signatures[class] |= self.bit(&key);
            self.settled[class] = false;
            self.sharing.entry(key).or_default().push(class);
            self.queue.push(edge);
        }
    }

    fn run(&mut self) {
        while let Some(edge) = self.queue.pop() {
            let mut class = self.classes.find(self.edges[edge].target);
            if self.settled[class] {
                continue;
            }
            let candidates = self.candidates(edge, class);
            let mut needed = self.needed(class, candidates.len());
            for other in candidates {
                // Uniting one may have changed another.
                let other = self.classes.find(other);
                let signature = self.signatures[other];
                if other != class
                    && needed.iter().all(|of_input| of_input & signature != 0)
                    && self.share_all_inputs(class, other)
                {
                    self.unite(class, other);
                    class = self.classes.find(class);
                    needed.clear();
                }
            }
        }
    }

    fn bit(&self, key: &Key) -> u64 {
        1 << (self.linked.hasher().hash_one(key) >> 58)
    }

    /// For each input of a class the bits of its keys: whoever shares every input with it has one of each. Nothing where
    /// finding them costs more than they can spare.
    fn needed(&mut self, class: OpIx, candidates: usize) -> SmallVec<[u64; 4]> {
        let mut needed = SmallVec::new();
        if self.in_edges.lens[class] as usize <= candidates {
            let edges: SmallVec<[EdgeIx; 16]> = self.in_edges.of(class).collect();
            for edge in edges {
                let key = self.key(edge);
                let input = key.input as usize;
                if needed.len() <= input {
                    needed.resize(input + 1, 0);
                }
                if let Some(bits) = needed.get_mut(input) {
                    *bits |= self.bit(&key);
                }
            }
        }
        needed
    }

    /// Classes among which are all that share, in every input, a link with the class of `edge`.
    ///
    /// These share its key in some input, whichever. Where many have the key of `edge`, and the class has fewer links than
    /// that, they are taken from the input that the fewest share.
    fn candidates(&mut self, edge: EdgeIx, class: OpIx) -> SmallVec<[OpIx; 4]> {
        let key = self.key(edge);
        let sharing = self.sharing.get(&key).map_or(0, |sharing| sharing.len());
        if sharing <= self.in_edges.lens[class] as usize {
            return self.sharing_now(&key);
        }
        self.settled[class] = true;
        let edges: Vec<EdgeIx> = self.in_edges.of(class).collect();
        let mut keys: Vec<Key> = edges.into_iter().map(|edge| self.key(edge)).collect();
        keys.sort_unstable();
        keys.dedup();
        let len = |of_input: &&[Key]| -> usize {
            of_input.iter().filter_map(|key| self.sharing.get(key)).map(|sharing| sharing.len()).sum()
        };
        let rarest = keys.chunk_by(|a, b| a.input == b.input).min_by_key(len).unwrap_or_default().to_vec();
        rarest.iter().flat_map(|key| self.sharing_now(key)).collect()
    }

    /// The classes that are linked as a key says, each once and by the name that it has now.
    fn sharing_now(&mut self, key: &Key) -> SmallVec<[OpIx; 4]> {
        let Some(sharing) = self.sharing.get_mut(key) else { return SmallVec::new() };
        for class in sharing.iter_mut() {
            *class = self.classes.find(*class);
        }
        if !sharing.is_sorted_by(|a, b| a < b) {
            sharing.sort_unstable();
            sharing.dedup();
        }
        sharing.clone()
    }

    /// Whether two classes share a link in every input. Looks at the links of the one that has fewer.
    fn share_all_inputs(&mut self, a: OpIx, b: OpIx) -> bool {
        let (few, many) = if self.in_edges.lens[a] <= self.in_edges.lens[b] { (a, b) } else { (b, a) };
        let edges: SmallVec<[EdgeIx; 16]> = self.in_edges.of(few).collect();
        let mut shared: SmallVec<[u32; 16]> = SmallVec::new();
        let mut inputs = 0;
        for edge in edges {
            let key = self.key(edge);
            inputs = key.inputs as usize;
            if self.linked.contains(&(many, key)) {
                shared.push(key.input);
            }
        }
        shared.sort_unstable();
        shared.dedup();
        shared.len() == inputs
    }

    /// Makes two classes one: the links from and to the one with fewer are noted anew.
    fn unite(&mut self, a: OpIx, b: OpIx) {
        let (a, b) = (self.classes.find(a), self.classes.find(b));
        if a == b {
            return;
        }
        let weight =
            |class: OpIx| u64::from(self.in_edges.lens[class]) + u64::from(self.out_edges.lens[class]);
        let (heavy, light) = if weight(a) >= weight(b) { (a, b) } else { (b, a) };
        let moved: Vec<EdgeIx> = self.out_edges.of(light).chain(self.in_edges.of(light)).collect();
        self.classes.parent[light] = heavy;
        self.signatures[heavy] |= self.signatures[light];
        self.in_edges.join(heavy, light);
        self.out_edges.join(heavy, light);
        for edge in moved {
            self.note(edge);
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
            unsearched: 0,
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
