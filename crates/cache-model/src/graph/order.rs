//! A topological order of a graph that grows, kept so that a link which closes a cycle is found at the link.
//!
//! Nothing is walked for a link whose source already comes first, as all links of a new record do. Otherwise two walks
//! go towards each other, from the target downwards and from the source upwards, and end where they would pass each
//! other (Haeupler, Kavitha, Mathew, Sen and Tarjan, "Incremental cycle detection, topological ordering, and strong
//! component maintenance", 2012). That bounds all links that are taken together by the power of 3/2 of their number.
//! There is no such bound for links that are refused: their walks have a budget.

use std::collections::BinaryHeap;

use crate::arena::index::{EdgeIx, IndexVec, NodeIx};
use crate::graph::order_list::OrderList;

/// Nodes in an order such that every link leads from an earlier to a later one.
pub(crate) struct Order {
    list: OrderList,
    /// The round in which a node was last reached, by direction.
    reached_down: IndexVec<NodeIx, u32>,
    reached_up: IndexVec<NodeIx, u32>,
    round: u32,
    budget: u64,
}

/// The two ways to follow links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToDependents,
    ToSources,
}

/// A graph whose links can be followed, one after the other.
pub(crate) trait Neighbours {
    /// The first link of a node.
    fn first(&mut self, node: NodeIx, direction: Direction) -> Option<EdgeIx>;
    /// The link after that one, of the same node.
    fn next(&mut self, link: EdgeIx, direction: Direction) -> Option<EdgeIx>;
    /// The node that a link leads to.
    fn end(&self, link: EdgeIx, direction: Direction) -> NodeIx;
}

/// What is known of a link that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It closes no cycle; there is room for it now.
    Open,
    /// It would close a cycle.
    Cycle,
    /// The budget is spent, so that nobody looked.
    Unknown,
}

/// The links between two nodes that are to be one.
pub(crate) struct Between {
    pub(crate) links: Vec<EdgeIx>,
    /// Whether just these would lead in a circle, and not perhaps fewer.
    pub(crate) is_exact: bool,
}

/// One of two walks that go towards each other: the nodes that it may go on from, the nearest to the other first.
struct Walk {
    direction: Direction,
    reached: Vec<NodeIx>,
    front: BinaryHeap<(u64, NodeIx, EdgeIx)>,
}

impl Walk {
    /// The place of the node to go on from.
    fn at(&self) -> Option<u64> {
        self.front.peek().map(|(nearness, ..)| self.direction.nearness(*nearness))
    }
}

impl Direction {
    fn opposite(self) -> Self {
        match self {
            Self::ToDependents => Self::ToSources,
            Self::ToSources => Self::ToDependents,
        }
    }

    /// Turns a label into what is greatest for the node to take first, and back.
    fn nearness(self, label: u64) -> u64 {
        match self {
            Self::ToDependents => u64::MAX - label,
            Self::ToSources => label,
        }
    }
}

impl Order {
    /// `budget` is how many links may be followed in all.
    pub(crate) fn new(budget: u64) -> Self {
        let (reached_down, reached_up) = (IndexVec::new(), IndexVec::new());
        Self { list: OrderList::new(), reached_down, reached_up, round: 0, budget }
    }

    /// Takes in a new node, last.
    pub(crate) fn push(&mut self) -> NodeIx {
        self.reached_down.push(0);
        self.reached_up.push(0);
        self.list.push()
    }

    /// A number that is the greater the later a node comes.
    pub(crate) fn label(&self, node: NodeIx) -> u64 {
        self.list.label(node)
    }

    /// Whether there may be a link from `source` to `target`; if so, makes room for it.
    pub(crate) fn allow(&mut self, graph: &mut impl Neighbours, source: NodeIx, target: NodeIx) -> Verdict {
        if source == target {
            return Verdict::Cycle;
        }
        if self.label(source) < self.label(target) {
            return Verdict::Open;
        }
        self.round += 1;
        let mut down = self.start(graph, target, Direction::ToDependents);
        let mut up = self.start(graph, source, Direction::ToSources);
        while let (Some(low), Some(high)) = (down.at(), up.at())
            && low < high
        {
            if self.budget < 2 {
                return Verdict::Unknown;
            }
            if self.step(graph, &mut down) || self.step(graph, &mut up) {
                return Verdict::Cycle;
            }
        }
        self.make_room(down, up, source);
        Verdict::Open
    }

    fn start(&mut self, graph: &mut impl Neighbours, node: NodeIx, direction: Direction) -> Walk {
        let mut walk = Walk { direction, reached: Vec::new(), front: BinaryHeap::new() };
        self.reach(graph, &mut walk, node);
        walk
    }

    fn rounds(&mut self, direction: Direction) -> &mut IndexVec<NodeIx, u32> {
        match direction {
            Direction::ToDependents => &mut self.reached_down,
            Direction::ToSources => &mut self.reached_up,
        }
    }

    fn reach(&mut self, graph: &mut impl Neighbours, walk: &mut Walk, node: NodeIx) {
        let round = self.round;
        self.rounds(walk.direction)[node] = round;
        walk.reached.push(node);
        if let Some(first) = graph.first(node, walk.direction) {
            walk.front.push((walk.direction.nearness(self.label(node)), node, first));
        }
    }

    /// Follows one link; true if the other walk has been where it leads.
    fn step(&mut self, graph: &mut impl Neighbours, walk: &mut Walk) -> bool {
        let Some((nearness, node, link)) = walk.front.pop() else { return false };
        self.budget -= 1;
        if let Some(next) = graph.next(link, walk.direction) {
            walk.front.push((nearness, node, next));
        }
        let end = graph.end(link, walk.direction);
        if self.rounds(walk.direction.opposite())[end] == self.round {
            return true;
        }
        if self.rounds(walk.direction)[end] != self.round {
            self.reach(graph, walk, end);
        }
        false
    }

    /// Moves what comes before `source` ahead of what comes after the target of the walks.
    fn make_room(&mut self, down: Walk, up: Walk, source: NodeIx) {
        // What has links that were not followed stays, the first of it in the middle.
        let unfinished = down.front.peek().map(|(_, node, _)| *node);
        let middle = unfinished.filter(|node| self.label(*node) < self.label(source)).unwrap_or(source);
        let at = self.label(middle);
        let mut below: Vec<NodeIx> = up.reached.into_iter().filter(|node| self.label(*node) > at).collect();
        let mut above: Vec<NodeIx> = down.reached.into_iter().filter(|node| self.label(*node) < at).collect();
        for nodes in [&mut below, &mut above] {
            nodes.sort_unstable_by_key(|node| self.label(*node));
        }
        if middle == source {
            let mut last = source;
            for node in above {
                self.list.move_after(node, last);
                last = node;
            }
        } else {
            for node in below.into_iter().chain(above) {
                self.list.move_before(node, middle);
            }
        }
    }

    /// The links of `younger` that would lead in a circle were it one node with `older`: those from it to `older` and
    /// to what `older` depends on, and those to it from `older` and from what depends on that.
    ///
    /// Where the budget is spent: all links of `lighter`, which is one of the two, that could lead in a circle by the
    /// places of their ends.
    pub(crate) fn links_between(
        &mut self,
        graph: &mut impl Neighbours,
        older: NodeIx,
        younger: NodeIx,
        lighter: NodeIx,
    ) -> Between {
        let older_is_first = self.label(older) < self.label(younger);
        let (low, high) = if older_is_first { (older, younger) } else { (younger, older) };
        let direction = if older_is_first { Direction::ToDependents } else { Direction::ToSources };
        let exact = match self.allow(graph, high, low) {
            Verdict::Open => Some(Vec::new()),
            Verdict::Cycle => self.links_from(graph, older, younger, direction),
            Verdict::Unknown => None,
        };
        if let Some(links) = exact {
            return Between { links, is_exact: true };
        }
        let (direction, other) =
            if lighter == low { (Direction::ToDependents, high) } else { (Direction::ToSources, low) };
        let limit = direction.nearness(self.label(other));
        let mut links = Vec::new();
        let mut next = graph.first(lighter, direction);
        while let Some(link) = next {
            if direction.nearness(self.label(graph.end(link, direction))) >= limit {
                links.push(link);
            }
            next = graph.next(link, direction);
        }
        Between { links, is_exact: false }
    }

    /// The links that lead to `end` from what can be reached from `start`; `None` if the budget does not suffice.
    fn links_from(
        &mut self,
        graph: &mut impl Neighbours,
        start: NodeIx,
        end: NodeIx,
        direction: Direction,
    ) -> Option<Vec<EdgeIx>> {
        self.round += 1;
        let round = self.round;
        self.rounds(direction)[start] = round;
        let limit = direction.nearness(self.label(end));
        let (mut reached, mut links) = (vec![start], Vec::new());
        while let Some(node) = reached.pop() {
            let mut next = graph.first(node, direction);
            while let Some(link) = next {
                self.budget = self.budget.checked_sub(1)?;
                let to = graph.end(link, direction);
                if to == end {
                    links.push(link);
                } else if direction.nearness(self.label(to)) > limit
                    && std::mem::replace(&mut self.rounds(direction)[to], round) != round
                {
                    reached.push(to);
                }
                next = graph.next(link, direction);
            }
        }
        Some(links)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;
    use crate::arena::index::Idx;

    /// Links as (source, target); those of a node are found by looking through all.
    struct Links(IndexVec<EdgeIx, (NodeIx, NodeIx)>);

    impl Links {
        fn from(&self, link: usize, node: NodeIx, direction: Direction) -> Option<EdgeIx> {
            let here = |link: EdgeIx| match direction {
                Direction::ToDependents => self.0[link].0,
                Direction::ToSources => self.0[link].1,
            };
            self.0.indices().skip(link).find(|link| here(*link) == node)
        }

        fn is_way(&self, from: NodeIx, to: NodeIx) -> bool {
            let (mut reached, mut next) = (vec![from], 0);
            while let Some(node) = reached.get(next).copied() {
                next += 1;
                for (source, target) in self.0.iter() {
                    if *source == node && !reached.contains(target) {
                        reached.push(*target);
                    }
                }
            }
            reached.contains(&to)
        }
    }

    impl Neighbours for Links {
        fn first(&mut self, node: NodeIx, direction: Direction) -> Option<EdgeIx> {
            self.from(0, node, direction)
        }

        fn next(&mut self, link: EdgeIx, direction: Direction) -> Option<EdgeIx> {
            let node = self.end(link, direction.opposite());
            self.from(link.position() + 1, node, direction)
        }

        fn end(&self, link: EdgeIx, direction: Direction) -> NodeIx {
            match direction {
                Direction::ToDependents => self.0[link].1,
                Direction::ToSources => self.0[link].0,
            }
        }
    }

    fn links() -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec((0usize..NODES, 0usize..NODES), 0..60)
    }

    const NODES: usize = 12;

    #[test]
    fn the_nearest_is_the_first_on_the_way_down_and_the_last_on_the_way_up() {
        let labels = [0, 1, (1 << 40) - 1, 1 << 40, u64::MAX];
        assert!(labels.is_sorted_by_key(|label| Reverse(Direction::ToDependents.nearness(*label))));
        assert!(labels.is_sorted_by_key(|label| Direction::ToSources.nearness(*label)));
        for direction in [Direction::ToDependents, Direction::ToSources] {
            assert_eq!(labels.map(|label| direction.nearness(direction.nearness(label))), labels);
        }
    }

    proptest! {
        /// A link is refused just where there is a way back, and the order suits all that were taken. With a budget that
        /// is spent, none is taken that would close a cycle.
        #[test]
        fn a_link_is_refused_where_there_is_a_way_back(wanted in links(), budget in prop::option::of(0u64..40)) {
            let mut order = Order::new(budget.unwrap_or(u64::MAX));
            let mut graph = Links(IndexVec::new());
            for _ in 0..NODES {
                order.push();
            }
            for (source, target) in wanted {
                let (source, target) = (NodeIx::new(source), NodeIx::new(target));
                let closes = graph.is_way(target, source);
                let verdict = order.allow(&mut graph, source, target);
                match verdict {
                    Verdict::Open => prop_assert!(!closes),
                    Verdict::Cycle => prop_assert!(closes),
                    Verdict::Unknown => prop_assert!(budget.is_some()),
                }
                if verdict == Verdict::Open {
                    graph.0.push((source, target));
                }
                for (source, target) in graph.0.iter() {
                    prop_assert!(order.label(*source) < order.label(*target));
                }
            }
        }

        /// The links between two nodes are those of the younger one that lead in a circle when the two are one; without
        /// a budget, taking the links that are given away leaves no way between the two.
        #[test]
        fn the_links_between_two_nodes_lead_in_a_circle(
            wanted in links(),
            (older, younger) in (0usize..NODES, 0usize..NODES),
            lighter_is_older in any::<bool>(),
            has_budget in any::<bool>(),
        ) {
            prop_assume!(older != younger);
            let (older, younger) = (NodeIx::new(older), NodeIx::new(younger));
            let mut graph = Links(IndexVec::new());
            let mut order = Order::new(u64::MAX);
            for _ in 0..NODES {
                order.push();
            }
            for (source, target) in wanted {
                let (source, target) = (NodeIx::new(source), NodeIx::new(target));
                if order.allow(&mut graph, source, target) == Verdict::Open {
                    graph.0.push((source, target));
                }
            }
            if !has_budget {
                order.budget = 0;
            }
            let lighter = if lighter_is_older { older } else { younger };
            let expected: Vec<EdgeIx> = graph.0.iter_indexed()
                .filter(|(_, (source, target))| {
                    *target == younger && graph.is_way(older, *source)
                        || *source == younger && graph.is_way(*target, older)
                })
                .map(|(link, _)| link)
                .collect();
            let Between { mut links, is_exact } = order.links_between(&mut graph, older, younger, lighter);
            links.sort_unstable();
            if has_budget {
                prop_assert!(is_exact);
            }
            if is_exact {
                prop_assert_eq!(&links, &expected);
            }
            let left = graph.0.iter_indexed().filter(|(link, _)| !links.contains(link)).map(|(_, ends)| *ends);
            let left = Links(IndexVec::from_vec(left.collect()));
            prop_assert!(!left.is_way(older, younger) && !left.is_way(younger, older));
        }
    }
}
