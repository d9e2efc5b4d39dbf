//! Strongly connected components, without recursion.
//!
//! It does not use `post_order` of `arena/walk.rs`: that walk ends at a cycle, this one has to go on.

use crate::arena::index::{Idx, IndexVec};

/// The component of each node, and the nodes in an order in which a component follows the components that it has edges
/// to (Tarjan, "Depth-first search and linear graph algorithms", 1972).
pub(crate) fn components<I: Idx, N: Iterator<Item = I>>(
    nodes: usize,
    neighbours: impl Fn(I) -> N,
) -> (IndexVec<I, u32>, Vec<I>) {
    const UNSEEN: u32 = 0;
    const DONE: u32 = u32::MAX;
    let mut component = IndexVec::filled(0, nodes);
    let mut order = Vec::with_capacity(nodes);
    // The number of a node in the order of visits, lowered to the least number that it leads back to; `DONE` when its
    // component is complete.
    let mut low: IndexVec<I, u32> = IndexVec::filled(UNSEEN, nodes);
    let mut counter = 0;
    let mut open: Vec<I> = Vec::new();
    let mut walk: Vec<(I, u32, N)> = Vec::new();
    for start in (0..nodes).map(I::new) {
        if low[start] != UNSEEN {
            continue;
        }
        let mut entering = Some(start);
        loop {
            if let Some(node) = entering.take() {
                counter += 1;
                low[node] = counter;
                open.push(node);
                walk.push((node, counter, neighbours(node)));
            }
            let Some((node, seen_at, rest)) = walk.last_mut() else { break };
            let (node, seen_at) = (*node, *seen_at);
            match rest.next() {
                Some(next) if low[next] == UNSEEN => entering = Some(next),
                // `DONE` is above all numbers.
                Some(next) => low[node] = low[node].min(low[next]),
                None => {
                    walk.pop();
                    if low[node] == seen_at {
                        while let Some(member) = open.pop() {
                            low[member] = DONE;
                            component[member] = seen_at;
                            order.push(member);
                            if member == node {
                                break;
                            }
                        }
                    } else if let Some((parent, ..)) = walk.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                }
            }
        }
    }
    (component, order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::index::NodeIx;

    #[test]
    fn a_cycle_is_one_component_after_the_nodes_that_it_leads_to() {
        let edges: [&[usize]; 5] = [&[1], &[2, 3], &[0], &[], &[4, 0]];
        let (component, order) =
            components(5, |node: NodeIx| edges[node.position()].iter().map(|n| NodeIx::new(*n)));
        let of = |n: usize| component[NodeIx::new(n)];
        assert_eq!((of(0), of(1)), (of(1), of(2)));
        assert!([of(3), of(4)].iter().all(|other| *other != of(0)) && of(3) != of(4));
        let at = |n: usize| order.iter().position(|node| node.position() == n).unwrap();
        assert!(at(3) < at(0).min(at(1)).min(at(2)));
        assert!(at(4) > at(0));
    }

    #[test]
    fn a_long_path_needs_no_stack() {
        let len = 1_000_000;
        let (_, order) =
            components(len, |n: NodeIx| n.position().checked_sub(1).map(NodeIx::new).into_iter());
        assert_eq!(order.len(), len);
    }
}
