//! The closed rule: records that overlap are one, in any order of the adds.
//!
//! Adds form classes. Two classes with the same digest and number of inputs are united if they share a link in every
//! input. When no such pair is left, the links within cycles of classes are dropped, never before. Expensive comparisons
//! are deferred until the cheap ones are exhausted, so each is made once.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::arena::index::{DigestIx, EdgeIx, Idx, IndexVec, NodeIx, OpIx, Rows, SelectorIx};
use crate::chains::CacheChains;
use crate::chains::log::Log;
use crate::graph::budget::{Budget, ReadError, Spent};
use crate::graph::cycles::components;
use crate::graph::draft::{Draft, DraftLink, DraftNode};

/// The most links that a cheap comparison looks up.
const CHEAP: usize = 64;

/// Reads the log of `chains`, in which the adds of `shared` digests may overlap.
pub(crate) fn draft(
    chains: &CacheChains,
    shared: &IndexVec<DigestIx, bool>,
    budget: &mut Budget,
) -> Result<Draft, ReadError> {
    let ops = chains.log.len();
    let mut closing = Closing {
        log: &chains.log,
        budget,
        classes: Classes::new(ops),
        edges: IndexVec::new(),
        in_edges: Lists::new(ops),
        out_edges: Lists::new(ops),
        sharing: HashMap::default(),
        linked: HashSet::default(),
        settled: IndexVec::filled(false, ops),
        queue: Vec::new(),
        deferred: Vec::new(),
    };
    let mut roots: IndexVec<DigestIx, Option<OpIx>> = IndexVec::filled(None, chains.digests.len());
    for (op, digest) in chains.log.digests.iter_indexed() {
        if !shared[*digest] {
            continue;
        }
        if chains.log.inputs.count(op) == 0 {
            let root = *roots[*digest].get_or_insert(op);
            closing.unite(root, op).map_err(|Spent| closing.budget.error(chains, *digest))?;
        } else {
            closing.register_links(op);
        }
        // Unite at once: an add that nothing depends on yet has few links to move.
        closing.run(chains)?;
    }
    while let Some(class) = closing.deferred.pop() {
        let compared = closing.compare_with_all(class);
        compared.map_err(|Spent| closing.budget.error(chains, chains.log.digests[class]))?;
        closing.run(chains)?;
    }
    Ok(closing.finish())
}

struct Closing<'a> {
    log: &'a Log,
    budget: &'a mut Budget,
    classes: Classes,
    /// The links of the adds that may overlap other adds.
    edges: IndexVec<EdgeIx, Edge>,
    in_edges: Lists,
    out_edges: Lists,
    /// The classes that have a link with the key. Some names are outdated: their class was united with another.
    sharing: HashMap<Key, SmallVec<[OpIx; 4]>, RandomState>,
    /// The pairs of a class and the key of one of its links; some class names are outdated, too.
    linked: HashSet<(OpIx, Key), RandomState>,
    /// The classes that were compared with all candidates and have no new links since.
    settled: IndexVec<OpIx, bool>,
    /// Links that gave their class a new key; the class is still to be compared by them.
    queue: Vec<EdgeIx>,
    /// The classes that are expensive to compare.
    deferred: Vec<OpIx>,
}

#[derive(Clone, Copy)]
struct Edge {
    source: OpIx,
    selector: SelectorIx,
    target: OpIx,
    input: u32,
}

/// Links with the same key are the same. Classes are looked up by it. `source` is a class.
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

/// Updates the names of the classes in a list and drops duplicates.
fn rename(list: &mut SmallVec<[OpIx; 4]>, classes: &mut Classes) {
    for class in list.iter_mut() {
        *class = classes.find(*class);
    }
    if !list.is_sorted_by(|a, b| a < b) {
        list.sort_unstable();
        list.dedup();
    }
}

/// A list of edges for each class. Two lists are joined in constant time.
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

    /// Indexes an edge by its present key. If its class had no edge with that key, the class is compared again.
    fn note(&mut self, edge: EdgeIx) {
        let key = self.key(edge);
        let class = self.classes.find(self.edges[edge].target);
        if !self.linked.insert((class, key)) {
            return;
        }
        self.settled[class] = false;
        self.queue.push(edge);
        self.sharing.entry(key).or_default().push(class);
    }

    /// Compares classes by all links in the queue; expensive comparisons are deferred.
    fn run(&mut self, chains: &CacheChains) -> Result<(), ReadError> {
        while let Some(edge) = self.queue.pop() {
            let class = self.classes.find(self.edges[edge].target);
            if !self.settled[class] {
                let compared = self.compare_by(edge, class);
                compared.map_err(|Spent| self.budget.error(chains, self.log.digests[class]))?;
            }
        }
        Ok(())
    }

    /// Compares a class with the classes that share one of its links, or defers the comparison if it is expensive.
    fn compare_by(&mut self, edge: EdgeIx, mut class: OpIx) -> Result<(), Spent> {
        let Some(others) = self.cheap_candidates(edge, class)? else {
            self.deferred.push(class);
            return Ok(());
        };
        for other in others {
            // An earlier union may have renamed the other class.
            let other = self.classes.find(other);
            if other != class && self.share_all_inputs(class, other)? {
                self.unite(class, other)?;
                class = self.classes.find(class);
            }
        }
        Ok(())
    }

    /// Unites a class with all classes that share a link with it in every input.
    fn compare_with_all(&mut self, class: OpIx) -> Result<(), Spent> {
        let class = self.classes.find(class);
        if !std::mem::replace(&mut self.settled[class], true) {
            for other in self.candidates(class)? {
                self.unite(class, other)?;
            }
        }
        Ok(())
    }

    /// The classes that share a link with a class; `None` if comparing the class with them is expensive.
    fn cheap_candidates(&mut self, edge: EdgeIx, class: OpIx) -> Result<Option<SmallVec<[OpIx; 4]>>, Spent> {
        let key = self.key(edge);
        let Some(list) = self.sharing.get_mut(&key) else { return Ok(None) };
        // The list contains the class itself.
        if list.len() > CHEAP + 1 {
            return Ok(None);
        }
        self.budget.spend(list.len())?;
        rename(list, &mut self.classes);
        let lens = &self.in_edges.lens;
        let others = list.iter().filter(|other| **other != class);
        let cost: usize = others.map(|other| lens[*other].min(lens[class]) as usize).sum();
        Ok((cost <= CHEAP).then(|| list.clone()))
    }

    /// The classes that share a link with a class in every input.
    ///
    /// Only the classes that share the rarest input are checked, first by the next rarest input, which rules out most of
    /// them.
    fn candidates(&mut self, class: OpIx) -> Result<Vec<OpIx>, Spent> {
        self.budget.spend(self.in_edges.lens[class] as usize)?;
        let edges: Vec<EdgeIx> = self.in_edges.of(class).collect();
        let mut keys: Vec<Key> = edges.into_iter().map(|edge| self.key(edge)).collect();
        keys.sort_unstable();
        keys.dedup();
        let sharing = |keys: &[Key]| -> usize {
            keys.iter().filter_map(|key| self.sharing.get(key)).map(SmallVec::len).sum()
        };
        let mut inputs: Vec<(usize, &[Key])> =
            keys.chunk_by(|a, b| a.input == b.input).map(|keys| (sharing(keys), keys)).collect();
        inputs.sort_unstable_by_key(|(sharing, _)| *sharing);
        let Some(((sharing, rarest), others)) = inputs.split_first() else { return Ok(Vec::new()) };
        self.budget.spend(*sharing)?;
        let Self { classes, sharing, linked, budget, .. } = self;
        let mut found: Vec<OpIx> = rarest
            .iter()
            .filter_map(|key| sharing.get(key))
            .flat_map(|list| list.iter().map(|class| classes.find(*class)).collect::<SmallVec<[OpIx; 4]>>())
            .collect();
        found.sort_unstable();
        found.dedup();
        let mut candidates = Vec::new();
        for other in found {
            let mut shares_all = true;
            for (_, keys) in others {
                let looked_at = keys.iter().position(|key| linked.contains(&(other, *key)));
                budget.spend(looked_at.unwrap_or(keys.len()) + 1)?;
                shares_all = looked_at.is_some();
                if !shares_all {
                    break;
                }
            }
            if shares_all {
                candidates.push(other);
            }
        }
        Ok(candidates)
    }

    /// Whether two classes share a link in every input. Checks the links of the class that has fewer.
    fn share_all_inputs(&mut self, a: OpIx, b: OpIx) -> Result<bool, Spent> {
        let (few, many) = if self.in_edges.lens[a] <= self.in_edges.lens[b] { (a, b) } else { (b, a) };
        self.budget.spend(self.in_edges.lens[few] as usize)?;
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
        Ok(shared.len() == inputs)
    }

    /// Unites two classes. The links to and from the class that has fewer are indexed again.
    fn unite(&mut self, a: OpIx, b: OpIx) -> Result<(), Spent> {
        let (a, b) = (self.classes.find(a), self.classes.find(b));
        if a == b {
            return Ok(());
        }
        let weight =
            |class: OpIx| u64::from(self.in_edges.lens[class]) + u64::from(self.out_edges.lens[class]);
        let (heavy, light) = if weight(a) >= weight(b) { (a, b) } else { (b, a) };
        let moved: Vec<EdgeIx> = self.out_edges.of(light).chain(self.in_edges.of(light)).collect();
        self.budget.spend(moved.len())?;
        self.classes.parent[light] = heavy;
        self.in_edges.join(heavy, light);
        self.out_edges.join(heavy, light);
        for edge in moved {
            self.note(edge);
        }
        Ok(())
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
            // All adds of a class have the same digest and number of inputs.
            if let Some(op) = ops_of_node[node].first() {
                let inputs = u32::try_from(log.inputs.count(*op)).unwrap_or(u32::MAX);
                draft.push(DraftNode { node, digest: log.digests[*op], inputs }, &mut links);
            }
        }
        draft.node_of_op = node_of_op;
        draft
    }
}
