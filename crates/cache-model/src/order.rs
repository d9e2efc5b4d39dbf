//! A topological order of a graph that grows, kept so that a link which closes a cycle is found at the link.
//!
//! Nothing is walked for a link whose source already comes first, as all links of a new record do. Otherwise only
//! the part of the graph between the two ends is (Pearce and Kelly, "A dynamic topological sort algorithm for
//! directed acyclic graphs", 2006).

use crate::index::{EdgeIx, IndexVec, NodeIx};

/// Positions of nodes such that every link leads from a lower to a higher one.
pub(crate) struct Order {
    position: IndexVec<NodeIx, u32>,
    visited: IndexVec<NodeIx, u32>,
    round: u32,
}

/// Calls back with each node that a node has links from, or to, and the link.
pub(crate) trait Neighbours {
    fn sources(&self, node: NodeIx, visit: &mut dyn FnMut(NodeIx, EdgeIx));
    fn dependents(&self, node: NodeIx, visit: &mut dyn FnMut(NodeIx, EdgeIx));
}

impl Order {
    pub(crate) fn new() -> Self {
        Self { position: IndexVec::new(), visited: IndexVec::new(), round: 0 }
    }

    /// Takes in a new node, last.
    pub(crate) fn push(&mut self) -> NodeIx {
        let last = u32::try_from(self.position.len()).unwrap_or(u32::MAX);
        self.visited.push(0);
        self.position.push(last)
    }

    pub(crate) fn position(&self, node: NodeIx) -> u32 {
        self.position[node]
    }

    /// Makes room for a link from `source` to `target`; `false`, and nothing changed, if it would close a cycle.
    pub(crate) fn allow(&mut self, graph: &impl Neighbours, source: NodeIx, target: NodeIx) -> bool {
        if source == target {
            return false;
        }
        let (low, high) = (self.position[target], self.position[source]);
        if high < low {
            return true;
        }
        let forward =
            self.reach(target, |at| at <= high, |node, visit| graph.dependents(node, visit), |_, _| {});
        if self.visited[source] == self.round {
            return false;
        }
        let backward =
            self.reach(source, |at| at >= low, |node, visit| graph.sources(node, visit), |_, _| {});
        self.reorder(backward, forward);
        true
    }

    /// The links of `younger` that would lead in a circle were it one node with `older`: those from it to `older` and
    /// to what `older` depends on, and those to it from `older` and from what depends on that.
    pub(crate) fn links_between(
        &mut self,
        graph: &impl Neighbours,
        older: NodeIx,
        younger: NodeIx,
    ) -> Vec<EdgeIx> {
        let end = self.position[younger];
        let mut found = Vec::new();
        let note = |neighbour: NodeIx, link: EdgeIx| {
            if neighbour == younger {
                found.push(link);
            }
        };
        if self.position[older] < end {
            self.reach(older, |at| at < end, |node, visit| graph.dependents(node, visit), note);
        } else {
            self.reach(older, |at| at > end, |node, visit| graph.sources(node, visit), note);
        }
        found
    }

    /// The nodes that can be reached from `start` within some positions. `note` is told of every link on the way, also
    /// of those that lead out of these positions.
    fn reach(
        &mut self,
        start: NodeIx,
        within: impl Fn(u32) -> bool,
        neighbours: impl Fn(NodeIx, &mut dyn FnMut(NodeIx, EdgeIx)),
        mut note: impl FnMut(NodeIx, EdgeIx),
    ) -> Vec<NodeIx> {
        self.round += 1;
        self.visited[start] = self.round;
        let mut reached = vec![start];
        let mut next = 0;
        while let Some(node) = reached.get(next).copied() {
            next += 1;
            neighbours(node, &mut |neighbour, link| {
                note(neighbour, link);
                if self.visited[neighbour] != self.round && within(self.position[neighbour]) {
                    self.visited[neighbour] = self.round;
                    reached.push(neighbour);
                }
            });
        }
        reached
    }

    /// Puts all of `before` ahead of all of `after`, in the positions that they have together.
    fn reorder(&mut self, mut before: Vec<NodeIx>, mut after: Vec<NodeIx>) {
        before.sort_unstable_by_key(|node| self.position[*node]);
        after.sort_unstable_by_key(|node| self.position[*node]);
        let nodes: Vec<NodeIx> = before.into_iter().chain(after).collect();
        let mut positions: Vec<u32> = nodes.iter().map(|node| self.position[*node]).collect();
        positions.sort_unstable();
        for (node, position) in nodes.into_iter().zip(positions) {
            self.position[node] = position;
        }
    }
}
