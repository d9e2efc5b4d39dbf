//! The nodes and links that BuildKit's rule works on, as linked lists.
//!
//! It adds and removes links as the rule asks. It never decides which records are one.

use crate::arena::index::{DigestIx, EdgeIx, IndexVec, NodeIx, SelectorIx};

/// The records and the links between them.
pub(crate) struct Records {
    pub(crate) nodes: IndexVec<NodeIx, Node>,
    pub(crate) edges: IndexVec<EdgeIx, Edge>,
}

/// A record.
pub(crate) struct Node {
    pub(crate) digest: DigestIx,
    pub(crate) inputs: u32,
    first_in: Option<EdgeIx>,
    first_out: Option<EdgeIx>,
    /// The number of links that were ever added to the two lists.
    pub(crate) weight: u32,
    /// The oldest of the records that were merged into this one.
    pub(crate) oldest: NodeIx,
    pub(crate) merged_into: Option<NodeIx>,
}

/// A link. A removed link stays in its lists and is skipped.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) source: NodeIx,
    pub(crate) selector: SelectorIx,
    pub(crate) target: NodeIx,
    pub(crate) input: u32,
    pub(crate) alive: bool,
    next_in: Option<EdgeIx>,
    next_out: Option<EdgeIx>,
    /// The next link of the same [`Key`].
    pub(crate) next_same: Option<EdgeIx>,
    /// For the first link of a key: the number of links with that key.
    pub(crate) same: u32,
}

/// Links with the same key are the same to BuildKit. The records that an add may overlap are looked up by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) source: NodeIx,
    pub(crate) selector: SelectorIx,
    pub(crate) input: u32,
    pub(crate) digest: DigestIx,
}

/// The two ways to follow links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToDependents,
    ToSources,
}

impl Edge {
    /// The record that the link leads to in a direction.
    pub(crate) fn end(&self, direction: Direction) -> NodeIx {
        match direction {
            Direction::ToDependents => self.target,
            Direction::ToSources => self.source,
        }
    }
}

impl Records {
    pub(crate) fn new() -> Self {
        Self { nodes: IndexVec::new(), edges: IndexVec::new() }
    }

    /// Appends a record without links.
    pub(crate) fn push(&mut self, digest: DigestIx, inputs: u32) -> NodeIx {
        let node = self.nodes.next_index();
        let (first_in, first_out, merged_into) = (None, None, None);
        self.nodes.push(Node { digest, inputs, first_in, first_out, weight: 0, oldest: node, merged_into })
    }

    /// Appends a link.
    pub(crate) fn link(
        &mut self,
        source: NodeIx,
        selector: SelectorIx,
        target: NodeIx,
        input: u32,
    ) -> EdgeIx {
        let (next_in, next_out) = (self.nodes[target].first_in, self.nodes[source].first_out);
        let (alive, next_same, same) = (true, None, 1);
        let edge = Edge { source, selector, target, input, alive, next_in, next_out, next_same, same };
        let edge = self.edges.push(edge);
        self.nodes[target].first_in = Some(edge);
        self.nodes[target].weight += 1;
        self.nodes[source].first_out = Some(edge);
        self.nodes[source].weight += 1;
        edge
    }

    pub(crate) fn remove(&mut self, edges: &[EdgeIx]) {
        for edge in edges {
            self.edges[*edge].alive = false;
        }
    }

    pub(crate) fn key(&self, edge: EdgeIx) -> Key {
        let Edge { source, selector, target, input, .. } = self.edges[edge];
        Key { source, selector, input, digest: self.nodes[target].digest }
    }

    /// The links of a record in a direction, removed links included.
    pub(crate) fn all_links(&self, node: NodeIx, direction: Direction) -> impl Iterator<Item = EdgeIx> {
        let first = match direction {
            Direction::ToDependents => self.nodes[node].first_out,
            Direction::ToSources => self.nodes[node].first_in,
        };
        std::iter::successors(first, move |edge| match direction {
            Direction::ToDependents => self.edges[*edge].next_out,
            Direction::ToSources => self.edges[*edge].next_in,
        })
    }

    /// The links of a record in a direction, without removed links.
    pub(crate) fn links(&self, node: NodeIx, direction: Direction) -> impl Iterator<Item = EdgeIx> {
        self.all_links(node, direction).filter(|edge| self.edges[*edge].alive)
    }

    /// Collects the targets of the links with the same key as `first`, which is the first of them. Unlinks removed links
    /// from the list.
    pub(crate) fn targets_of_same(&mut self, first: EdgeIx, found: &mut Vec<NodeIx>) {
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

    /// The record that a record was merged into; the record itself if it was not merged.
    pub(crate) fn find(&mut self, node: NodeIx) -> NodeIx {
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
