//! A list that says in constant time which of two nodes comes first, while nodes move about in it.
//!
//! Nodes have labels that grow along the list. Where there is no room between two, the labels around are spread over
//! the smallest enclosing range that is sparse enough (Bender, Cole, Demaine, Farach-Colton and Zito, "Two simplified
//! algorithms for maintaining order in a list", 2002), so that a move costs a logarithm, amortized.

use crate::arena::index::{IndexVec, NodeIx};

/// Labels are below this power of two.
const BITS: u32 = 62;
/// The distance of a new last node to the one before it: room for many moves before anything is relabelled.
const GAP: u64 = 1 << 20;
/// A range of 2^i labels is sparse enough with this to the power of i nodes: more than half of 2, so that larger
/// ranges have more room, and enough for 4 billion nodes.
const SPARSE: f64 = 1.5;

pub(crate) struct OrderList {
    labels: IndexVec<NodeIx, u64>,
    before: IndexVec<NodeIx, Option<NodeIx>>,
    after: IndexVec<NodeIx, Option<NodeIx>>,
    first: Option<NodeIx>,
    last: Option<NodeIx>,
}

impl OrderList {
    pub(crate) fn new() -> Self {
        let (labels, before, after) = (IndexVec::new(), IndexVec::new(), IndexVec::new());
        Self { labels, before, after, first: None, last: None }
    }

    /// Takes in a new node, last.
    pub(crate) fn push(&mut self) -> NodeIx {
        let node = self.labels.push(0);
        self.before.push(None);
        self.after.push(None);
        self.insert(node, self.last);
        node
    }

    /// A number that is the greater the later a node comes. It changes when nodes move.
    #[inline]
    pub(crate) fn label(&self, node: NodeIx) -> u64 {
        self.labels[node]
    }

    pub(crate) fn move_after(&mut self, node: NodeIx, anchor: NodeIx) {
        if node != anchor {
            self.unlink(node);
            self.insert(node, Some(anchor));
        }
    }

    pub(crate) fn move_before(&mut self, node: NodeIx, anchor: NodeIx) {
        if node != anchor {
            self.unlink(node);
            self.insert(node, self.before[anchor]);
        }
    }

    fn unlink(&mut self, node: NodeIx) {
        let (before, after) = (self.before[node], self.after[node]);
        self.join(before, after);
    }

    /// Makes two nodes neighbours, or one the first or last.
    fn join(&mut self, before: Option<NodeIx>, after: Option<NodeIx>) {
        match before {
            Some(before) => self.after[before] = after,
            None => self.first = after,
        }
        match after {
            Some(after) => self.before[after] = before,
            None => self.last = before,
        }
    }

    /// Puts a node that is in no list after another; first where there is none.
    fn insert(&mut self, node: NodeIx, before: Option<NodeIx>) {
        let after = before.map_or(self.first, |before| self.after[before]);
        self.labels[node] = loop {
            let low = before.map_or(0, |before| self.labels[before]);
            let high = after.map_or(1 << BITS, |after| self.labels[after]);
            if after.is_none() && low + GAP < high {
                break low + GAP;
            }
            if high - low > 1 {
                break low + (high - low) / 2;
            }
            match before.or(after) {
                Some(crowded) => self.spread(crowded),
                None => break GAP,
            }
        };
        self.join(before, Some(node));
        self.join(Some(node), after);
    }

    /// Makes room around a node.
    fn spread(&mut self, crowded: NodeIx) {
        let (mut first, mut last, mut count) = (crowded, crowded, 1u32);
        let mut enough = 1.0;
        for bits in 1..=BITS {
            let low = self.labels[crowded] >> bits << bits;
            let high = low + (1 << bits);
            while let Some(before) = self.before[first].filter(|before| self.labels[*before] >= low) {
                (first, count) = (before, count + 1);
            }
            while let Some(after) = self.after[last].filter(|after| self.labels[*after] < high) {
                (last, count) = (after, count + 1);
            }
            enough *= SPARSE;
            let gap = (1 << bits) / (u64::from(count) + 1);
            if gap >= 2 && (f64::from(count) <= enough || bits == BITS) {
                let nodes = std::iter::successors(Some(first), |node| self.after[*node]);
                let nodes: Vec<NodeIx> = nodes.take(count as usize).collect();
                for (node, place) in nodes.into_iter().zip(1..) {
                    self.labels[node] = low + place * gap;
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::index::Idx;

    proptest! {
        /// The list is what moving the same nodes about in a vector gives.
        #[test]
        fn nodes_are_where_they_were_moved(
            len in 1usize..20,
            moves in prop::collection::vec((any::<bool>(), 0usize..20, 0usize..20), 0..400),
        ) {
            let mut list = OrderList::new();
            let mut expected: Vec<NodeIx> = (0..len).map(|_| list.push()).collect();
            for (is_before, node, anchor) in moves {
                let (node, anchor) = (NodeIx::new(node % len), NodeIx::new(anchor % len));
                if is_before { list.move_before(node, anchor) } else { list.move_after(node, anchor) }
                if node != anchor {
                    expected.retain(|other| *other != node);
                    let at = expected.iter().position(|other| *other == anchor).unwrap();
                    expected.insert(if is_before { at } else { at + 1 }, node);
                }
            }
            let mut found: Vec<NodeIx> = (0..len).map(NodeIx::new).collect();
            found.sort_by_key(|node| list.label(*node));
            prop_assert_eq!(&found, &expected);
            let mut labels: Vec<u64> = found.iter().map(|node| list.label(*node)).collect();
            labels.dedup();
            prop_assert_eq!(labels.len(), len);
        }
    }

    #[test]
    fn there_is_always_room_at_one_place() {
        let mut list = OrderList::new();
        let nodes: Vec<NodeIx> = (0..20_000).map(|_| list.push()).collect();
        let (first, second) = (nodes[0], nodes[1]);
        for node in &nodes[2..] {
            list.move_after(*node, first);
        }
        for node in &nodes[1..] {
            list.move_before(*node, first);
        }
        let mut found = nodes.clone();
        found.sort_by_key(|node| list.label(*node));
        assert_eq!((found[0], *found.last().unwrap()), (second, first));
        assert_eq!(&found[1..found.len() - 1], &nodes[2..]);
    }
}
