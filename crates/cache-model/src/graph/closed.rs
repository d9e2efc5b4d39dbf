//! The closed reading of a log: records that overlap are one, whatever the order in which they came.
//!
//! Classes of adds grow until none shares a link in every input with another of its digest and number of inputs;
//! then the links within a cycle of classes are left out. Nothing is dropped before all is known. What takes long to
//! compare waits until all else is done, for then it is compared once and not again and again.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::arena::index::{DigestIx, EdgeIx, Idx, IndexVec, NodeIx, OpIx, Rows, SelectorIx};
use crate::chains::CacheChains;
use crate::chains::log::Log;
use crate::graph::bits::{Intersection, Limits, Sharers};
use crate::graph::cycles::components;
use crate::graph::draft::{Draft, DraftLink, DraftNode};

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(chains: &CacheChains, shared: &IndexVec<DigestIx, bool>) -> Draft {
    draft_within(Limits::default(), chains, shared)
}

/// As [`draft`], with other limits than usual between ways to find the same.
pub(crate) fn draft_within(limits: Limits, chains: &CacheChains, shared: &IndexVec<DigestIx, bool>) -> Draft {
    let ops = chains.log.len();
    let mut closing = Closing {
        log: &chains.log,
        limits,
        classes: Classes::new(ops),
        edges: IndexVec::new(),
        in_edges: Lists::new(ops),
        out_edges: Lists::new(ops),
        sharing: HashMap::default(),
        linked: HashSet::default(),
        has_sets: false,
        settled: IndexVec::filled(false, ops),
        spent: IndexVec::filled(0, ops),
        queue: Vec::new(),
        waiting: Vec::new(),
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
    limits: Limits,
    classes: Classes,
    /// The links of the adds that may overlap others.
    edges: IndexVec<EdgeIx, Edge>,
    in_edges: Lists,
    out_edges: Lists,
    sharing: HashMap<Key, Sharing, RandomState>,
    has_sets: bool,
    /// The same by class and key.
    linked: HashSet<(OpIx, Key), RandomState>,
    /// Classes that were compared with all that they could be one with, and not linked anew since.
    settled: IndexVec<OpIx, bool>,
    /// Edges that link their class in a way in which it was not linked before.
    queue: Vec<EdgeIx>,
    /// Those of them for which it takes long to compare the class with others.
    waiting: Vec<EdgeIx>,
    /// How many links were looked at to compare a class by such edges, since it was compared with all.
    spent: IndexVec<OpIx, usize>,
}

/// The classes that are linked as a key says.
enum Sharing {
    /// Some of them by names that they no longer have.
    Listed(SmallVec<[OpIx; 4]>),
    Many(Sharers),
}

impl Sharing {
    fn len(&self) -> usize {
        match self {
            Self::Listed(list) => list.len(),
            Self::Many(set) => set.len(),
        }
    }

    /// Goes through the classes by the names that they have now; one can come twice.
    fn each(&self, classes: &mut Classes, mut take: impl FnMut(OpIx)) {
        match self {
            Self::Listed(list) => list.iter().for_each(|class| take(classes.find(*class))),
            Self::Many(set) => set.bits().iter().for_each(|class| take(OpIx::new(class))),
        }
    }
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

/// Gives each class in a list the name that it has now, and once.
fn rename(list: &mut SmallVec<[OpIx; 4]>, classes: &mut Classes) {
    for class in list.iter_mut() {
        *class = classes.find(*class);
    }
    if !list.is_sorted_by(|a, b| a < b) {
        list.sort_unstable();
        list.dedup();
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
        if !self.linked.insert((class, key)) {
            return;
        }
        self.settled[class] = false;
        self.queue.push(edge);
        let Self { limits, log, classes, sharing, has_sets, .. } = self;
        let sharing = sharing.entry(key).or_insert_with(|| Sharing::Listed(SmallVec::new()));
        match sharing {
            Sharing::Many(set) => set.insert(class.position()),
            Sharing::Listed(list) => {
                list.push(class);
                if limits.are_many(list.len(), log.len()) {
                    rename(list, classes);
                    if limits.are_many(list.len(), log.len()) {
                        *sharing = Sharing::Many(list.iter().map(|class| class.position()).collect());
                        *has_sets = true;
                    }
                }
            }
        }
    }

    fn run(&mut self) {
        loop {
            if let Some(edge) = self.queue.pop() {
                let class = self.classes.find(self.edges[edge].target);
                if self.settled[class] {
                    continue;
                }
                match self.sharing_within(self.limits.lookups, edge, class) {
                    Some((others, _)) => self.compare(class, &others),
                    None => self.waiting.push(edge),
                }
            } else if let Some(edge) = self.waiting.pop() {
                let class = self.classes.find(self.edges[edge].target);
                if self.settled[class] {
                    continue;
                }
                // Either way costs about as much as the class has links, for all that is spent on one.
                let left = (self.in_edges.lens[class] as usize).saturating_sub(self.spent[class]);
                let others = if let Some((others, cost)) = self.sharing_within(left, edge, class) {
                    self.spent[class] += cost;
                    others
                } else {
                    self.spent[class] = 0;
                    self.settled[class] = true;
                    self.candidates(class)
                };
                self.compare(class, &others);
            } else {
                return;
            }
        }
    }

    /// Makes a class one with those of others with which it shares a link in every input.
    fn compare(&mut self, mut class: OpIx, others: &[OpIx]) {
        for other in others {
            // Uniting one may have changed another.
            let other = self.classes.find(*other);
            if other != class && self.share_all_inputs(class, other) {
                self.unite(class, other);
                class = self.classes.find(class);
            }
        }
    }

    /// The classes that share the key of an edge, and how many links are looked at to compare its class with them;
    /// `None` if that is more than `limit`.
    fn sharing_within(
        &mut self,
        limit: usize,
        edge: EdgeIx,
        class: OpIx,
    ) -> Option<(SmallVec<[OpIx; 4]>, usize)> {
        let key = self.key(edge);
        let Some(Sharing::Listed(list)) = self.sharing.get_mut(&key) else { return None };
        // The class is one of them.
        if list.len() > limit.saturating_add(1) {
            return None;
        }
        rename(list, &mut self.classes);
        let lens = &self.in_edges.lens;
        let others = list.iter().filter(|other| **other != class);
        let cost = others.map(|other| lens[*other].min(lens[class]) as usize).sum();
        (cost <= limit).then(|| (list.clone(), cost))
    }

    /// Classes among which are all that share, in every input, a link with a class.
    fn candidates(&mut self, class: OpIx) -> SmallVec<[OpIx; 4]> {
        let edges: Vec<EdgeIx> = self.in_edges.of(class).collect();
        let mut keys: Vec<Key> = edges.into_iter().map(|edge| self.key(edge)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut fewest_first: SmallVec<[(usize, &[Key]); 4]> = SmallVec::new();
        for of_input in keys.chunk_by(|a, b| a.input == b.input) {
            let sharing = of_input.iter().filter_map(|key| self.sharing.get(key)).map(Sharing::len).sum();
            fewest_first.push((sharing, of_input));
        }
        fewest_first.sort_unstable_by_key(|(sharing, _)| *sharing);
        let Some((fewest, rarest)) = fewest_first.first() else { return SmallVec::new() };
        if *fewest == 1 {
            // That is the class itself.
            return SmallVec::new();
        }
        if self.limits.are_few_lookups(fewest.saturating_mul(keys.len()), self.log.len()) {
            let mut found = SmallVec::new();
            for sharing in rarest.iter().filter_map(|key| self.sharing.get(key)) {
                sharing.each(&mut self.classes, |class| found.push(class));
            }
            found.sort_unstable();
            found.dedup();
            return found;
        }
        let mut shared = Intersection::default();
        for (_, keys) in &fewest_first {
            if let [key] = keys
                && let Some(Sharing::Many(set)) = self.sharing.get(key)
            {
                shared.input(set);
            } else {
                for sharing in keys.iter().filter_map(|key| self.sharing.get(key)) {
                    match sharing {
                        Sharing::Many(set) => shared.open_input().unite(set.bits()),
                        Sharing::Listed(_) => sharing.each(&mut self.classes, |class| {
                            shared.open_input().insert(class.position());
                        }),
                    }
                }
                shared.end_input();
            }
        }
        let found: SmallVec<[OpIx; 4]> = shared.iter().map(OpIx::new).collect();
        debug_assert!(found.iter().all(|class| self.classes.parent[*class] == *class));
        found
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
        if self.has_sets {
            self.leave_sets(light);
        }
        self.classes.parent[light] = heavy;
        self.in_edges.join(heavy, light);
        self.out_edges.join(heavy, light);
        for edge in moved {
            self.note(edge);
        }
    }

    /// Takes a class that is about to lose its name out of all sets, and drops what shares a link to it: that is all
    /// linked anew.
    fn leave_sets(&mut self, class: OpIx) {
        for edge in self.in_edges.of(class).collect::<Vec<EdgeIx>>() {
            let key = self.key(edge);
            if let Some(Sharing::Many(set)) = self.sharing.get_mut(&key) {
                set.remove(class.position());
            }
        }
        for edge in self.out_edges.of(class).collect::<Vec<EdgeIx>>() {
            let key = self.key(edge);
            self.sharing.remove(&key);
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
