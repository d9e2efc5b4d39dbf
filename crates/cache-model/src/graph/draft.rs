//! The outcome of a rule: nodes and their links, in an order with sources first.
//!
//! Both rules (`buildkit`, `closed`) make a draft; a [`Graph`](crate::Graph) is made from it.

use crate::arena::index::{DigestIx, Idx, IndexVec, InputIx, NodeIx, OpIx, Rows, SelectorIx};
use crate::chains::log::Log;

/// The nodes of a graph. A node becomes a record unless one of its inputs has no links.
pub(crate) struct Draft {
    /// The node of each add.
    pub(crate) node_of_op: IndexVec<OpIx, NodeIx>,
    /// How many nodes there are.
    pub(crate) nodes: usize,
    /// The nodes that may become records, each after its sources.
    pub(crate) order: Vec<DraftNode>,
    /// The links of all inputs, in the order of `order` and of each node's inputs.
    pub(crate) inputs: Rows<InputIx, DraftLink>,
}

/// A node: its inputs are the next `inputs` rows.
#[derive(Clone, Copy)]
pub(crate) struct DraftNode {
    pub(crate) node: NodeIx,
    pub(crate) digest: DigestIx,
    pub(crate) inputs: u32,
}

/// A link to a node that comes earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DraftLink {
    pub(crate) source: NodeIx,
    pub(crate) selector: SelectorIx,
}

impl Draft {
    /// Appends a node, after its sources. `links` has the links of all of its inputs in any order, each with the position
    /// of its input.
    pub(crate) fn push(&mut self, node: DraftNode, links: &mut [(u32, DraftLink)]) {
        links.sort_unstable();
        let mut rest: &[(u32, DraftLink)] = links;
        for input in 0..node.inputs {
            let (row, after) = rest.split_at(rest.partition_point(|(at, _)| *at == input));
            row.iter().for_each(|(_, link)| self.inputs.push(*link));
            self.inputs.end_row();
            rest = after;
        }
        self.order.push(node);
    }

    /// The draft of a log in which no two adds have the same digest: every add is a record, by either rule.
    pub(crate) fn without_overlap(log: &Log) -> Self {
        let node = |op: OpIx| NodeIx::new(op.position());
        let mut inputs = Rows::with_capacity(log.inputs.rows().len(), log.inputs.rows().items_len());
        let mut order = Vec::with_capacity(log.len());
        for (op, digest) in log.digests.iter_indexed() {
            for links in log.inputs.of(op) {
                for link in links {
                    inputs.push(DraftLink { source: node(link.source), selector: link.selector });
                }
                inputs.end_row();
            }
            let count = u32::try_from(log.inputs.count(op)).unwrap_or(u32::MAX);
            order.push(DraftNode { node: node(op), digest: *digest, inputs: count });
        }
        let node_of_op = IndexVec::from_vec(log.digests.indices().map(node).collect());
        Self { node_of_op, nodes: log.len(), order, inputs }
    }
}

/// Marks the digests that several adds have, so that records may overlap; `None` if there is no such digest.
pub(crate) fn shared_digests(log: &Log, digests: usize) -> Option<IndexVec<DigestIx, bool>> {
    if log.len() == digests {
        return None;
    }
    let mut seen = IndexVec::<DigestIx, bool>::filled(false, digests);
    let mut shared = IndexVec::<DigestIx, bool>::filled(false, digests);
    let mut any = false;
    for digest in log.digests.iter() {
        if std::mem::replace(&mut seen[*digest], true) {
            shared[*digest] = true;
            any = true;
        }
    }
    any.then_some(shared)
}
