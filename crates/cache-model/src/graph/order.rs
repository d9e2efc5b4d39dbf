//! A topological order of a growing graph, to find a link that would close a cycle before it is added.
//!
//! A link from an earlier record, as all links of a new record are, needs no search. For any other link only the part of
//! the graph between its two ends is searched (Pearce and Kelly, "A dynamic topological sort algorithm for directed
//! acyclic graphs", 2006). That search does not use `post_order` of `arena/walk.rs`: it needs no order, and visits the
//! links between two positions only.

use crate::arena::index::{EdgeIx, IndexVec, NodeIx};
use crate::graph::budget::{Budget, Spent};
use crate::graph::records::{Direction, Records};

/// Following a link takes about twice the time of other steps: the record at its end is not in the processor's cache.
const STEPS_OF_A_WALK: usize = 2;

/// Positions of records such that every link leads from a lower to a higher one.
pub(crate) struct Order {
    places: IndexVec<NodeIx, Place>,
    round: u32,
}

#[derive(Clone, Copy)]
struct Place {
    position: u32,
    /// The last search that reached the record.
    reached: u32,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self { places: IndexVec::new(), round: 0 }
    }

    /// Appends a new record.
    pub(crate) fn push(&mut self) -> NodeIx {
        let position = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Place { position, reached: 0 })
    }

    pub(crate) fn position(&self, node: NodeIx) -> u32 {
        self.places[node].position
    }

    /// Reorders records so that a link from `source` to `target` can be added. False, with nothing changed, if the link
    /// would close a cycle.
    pub(crate) fn allow(
        &mut self,
        records: &Records,
        budget: &mut Budget,
        source: NodeIx,
        target: NodeIx,
    ) -> Result<bool, Spent> {
        if source == target {
            return Ok(false);
        }
        let (low, high) = (self.places[target].position, self.places[source].position);
        if high < low {
            return Ok(true);
        }
        let after = self.reach(records, budget, target, Direction::ToDependents, high, |_, _| ())?;
        if self.places[source].reached == self.round {
            return Ok(false);
        }
        let before = self.reach(records, budget, source, Direction::ToSources, low, |_, _| ())?;
        self.reorder(before, after);
        Ok(true)
    }

    /// The links of `younger` that would close a cycle if it were merged with `older`: the links on paths between the two.
    pub(crate) fn links_between(
        &mut self,
        records: &Records,
        budget: &mut Budget,
        older: NodeIx,
        younger: NodeIx,
    ) -> Result<Vec<EdgeIx>, Spent> {
        let limit = self.places[younger].position;
        let direction =
            if self.places[older].position < limit { Direction::ToDependents } else { Direction::ToSources };
        let mut closing = Vec::new();
        // Collected on the way: `younger` may have many other links, and looking at each would cost steps.
        self.reach(records, budget, older, direction, limit, |edge, end| {
            if end == younger {
                closing.push(edge);
            }
        })?;
        Ok(closing)
    }

    /// The records that can be reached from `start` without passing the position `limit`. `followed` gets each link on
    /// the way, with the record that it leads to.
    fn reach(
        &mut self,
        records: &Records,
        budget: &mut Budget,
        start: NodeIx,
        direction: Direction,
        limit: u32,
        mut followed: impl FnMut(EdgeIx, NodeIx),
    ) -> Result<Vec<NodeIx>, Spent> {
        self.round += 1;
        self.places[start].reached = self.round;
        let mut reached = vec![start];
        let mut next = 0;
        while let Some(node) = reached.get(next).copied() {
            next += 1;
            for link in records.all_links(node, direction) {
                budget.spend(STEPS_OF_A_WALK)?;
                let edge = &records.edges[link];
                let end = edge.end(direction);
                let place = &mut self.places[end];
                let is_within = match direction {
                    Direction::ToDependents => place.position <= limit,
                    Direction::ToSources => place.position >= limit,
                };
                if !(edge.alive && is_within) {
                    continue;
                }
                followed(link, end);
                if place.reached != self.round {
                    place.reached = self.round;
                    reached.push(end);
                }
            }
        }
        Ok(reached)
    }

    /// Moves all of `before` ahead of all of `after`, within the positions that they occupy together.
    fn reorder(&mut self, mut before: Vec<NodeIx>, mut after: Vec<NodeIx>) {
        before.sort_unstable_by_key(|node| self.places[*node].position);
        after.sort_unstable_by_key(|node| self.places[*node].position);
        let nodes: Vec<NodeIx> = before.into_iter().chain(after).collect();
        let mut positions: Vec<u32> = nodes.iter().map(|node| self.places[*node].position).collect();
        positions.sort_unstable();
        for (node, position) in nodes.into_iter().zip(positions) {
            self.places[node].position = position;
        }
    }
}
