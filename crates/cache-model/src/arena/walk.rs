//! A depth-first walk, without recursion.
//!
//! It knows no graph: the neighbours of a node are passed in. Walks that need more than the order of the nodes are
//! elsewhere: strongly connected components in `graph/cycles.rs`, bounded searches in `graph/order.rs`.

use crate::arena::index::{Idx, IndexVec};

/// The progress on a node.
#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    /// On the path from a start to the current node.
    Open,
    Done,
}

struct PostOrder<I, S, N, F, C> {
    starts: S,
    neighbours: F,
    cycle: C,
    visits: IndexVec<I, Visit>,
    /// The nodes from a start to the current node, each with the neighbours that are not visited yet.
    path: Vec<(I, N)>,
}

/// The nodes that can be reached from `starts`, each once and after its neighbours. `nodes` is the number of all nodes.
///
/// An error among the neighbours is passed on. `cycle` makes the error for a node and a neighbour of it that leads back to
/// the node. After an error the walk must not go on.
pub(crate) fn post_order<I: Idx, E, N: Iterator<Item = Result<I, E>>>(
    nodes: usize,
    starts: impl Iterator<Item = I>,
    neighbours: impl Fn(I) -> N,
    cycle: impl Fn(I, I) -> E,
) -> impl Iterator<Item = Result<I, E>> {
    PostOrder { starts, neighbours, cycle, visits: IndexVec::filled(Visit::New, nodes), path: Vec::new() }
}

impl<I, E, S, N, F, C> Iterator for PostOrder<I, S, N, F, C>
where
    I: Idx,
    S: Iterator<Item = I>,
    N: Iterator<Item = Result<I, E>>,
    F: Fn(I) -> N,
    C: Fn(I, I) -> E,
{
    type Item = Result<I, E>;

    fn next(&mut self) -> Option<Result<I, E>> {
        loop {
            let entered = match self.path.last_mut() {
                None => self.starts.find(|start| self.visits[*start] == Visit::New)?,
                Some((node, rest)) => match rest.next() {
                    None => {
                        let node = *node;
                        self.visits[node] = Visit::Done;
                        self.path.pop();
                        return Some(Ok(node));
                    }
                    Some(Err(error)) => return Some(Err(error)),
                    Some(Ok(next)) => match self.visits[next] {
                        Visit::New => next,
                        Visit::Open => return Some(Err((self.cycle)(*node, next))),
                        Visit::Done => continue,
                    },
                },
            };
            self.visits[entered] = Visit::Open;
            self.path.push((entered, (self.neighbours)(entered)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::index::NodeIx;

    /// The walk from all nodes. An edge to a node that does not exist is an error.
    fn walked(edges: &[&[usize]]) -> Result<Vec<usize>, String> {
        let neighbours = |node: NodeIx| {
            let known = |to: &usize| *to < edges.len();
            let of_node = edges[node.position()].iter();
            of_node.map(
                move |to| if known(to) { Ok(NodeIx::new(*to)) } else { Err(format!("there is no {to}")) },
            )
        };
        let starts = (0..edges.len()).map(NodeIx::new);
        let cycle = |from: NodeIx, to: NodeIx| format!("{} leads back to {}", from.position(), to.position());
        post_order(edges.len(), starts, neighbours, cycle).map(|node| Ok(node?.position())).collect()
    }

    #[test]
    fn each_node_comes_once_and_after_its_neighbours() {
        assert_eq!(walked(&[&[2, 1], &[3], &[3], &[], &[0, 2]]), Ok(vec![3, 2, 1, 0, 4]));
        assert_eq!(walked(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_and_an_error_of_a_neighbour_end_the_walk() {
        assert_eq!(walked(&[&[1], &[2], &[1]]), Err("2 leads back to 1".to_owned()));
        assert_eq!(walked(&[&[0]]), Err("0 leads back to 0".to_owned()));
        assert_eq!(walked(&[&[1], &[7]]), Err("there is no 7".to_owned()));
    }

    #[test]
    fn a_long_path_needs_no_stack() {
        let len = 1_000_000;
        let neighbours = |n: NodeIx| n.position().checked_sub(1).map(|n| Ok(NodeIx::new(n))).into_iter();
        let starts = std::iter::once(NodeIx::new(len - 1));
        let walk = post_order(len, starts, neighbours, |_, _| ());
        assert_eq!(walk.filter_map(Result::ok).count(), len);
    }
}
