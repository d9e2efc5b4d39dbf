//! The records of a graph as a tree: each record above its sources.
//!
//! A record is drawn once; a later mention gives its number only. A record with one source stands right above it, so
//! that a long chain stays narrow; only a fork is indented. The walk does not recurse, however deep the graph is.

use std::fmt::{self, Display, Formatter};

use cache_model::{ANNOTATION_DESCRIPTION, Graph, RecordRef};

use crate::text::{count, printable, shorten, size};

/// Forks deeper than this are given as a number, not drawn.
const MAX_DEPTH: u32 = 24;

/// The records of a graph as a tree, a line for each: its number, its digest and its first result.
///
/// ```text
/// #3 066036675b22  2 layers, 1.06 KiB, 2026-11-24T02:33:29.842413024Z
/// ├─ #1 a768ebf406dd  1 layer, 972 B, 2026-11-24T02:33:29.819053132Z
/// │  │ #0 f9dc9c4015f7
/// └─ #2 bdb547e82fc8
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tree<'g>(&'g Graph<'g>);

impl<'g> Tree<'g> {
    /// The tree of a graph.
    pub fn of(graph: &'g Graph<'_>) -> Self {
        Self(graph)
    }
}

impl Display for Tree<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_tree(f, self.0)
    }
}

/// A record to draw.
struct Node<'g> {
    record: RecordRef<'g>,
    selector: &'g str,
    /// The number of forks above it.
    depth: u32,
    /// A bit for each of these forks, the nearest lowest: whether more branches follow there.
    bars: u32,
    /// Its connection to the line above.
    joint: Joint,
}

#[derive(Clone, Copy, PartialEq)]
enum Joint {
    /// No record depends on it.
    Leaf,
    /// It is the only source of the record above it.
    Only,
    /// It is one of several sources.
    Branch { is_last: bool },
}

fn write_tree(f: &mut Formatter<'_>, graph: &Graph<'_>) -> fmt::Result {
    let mut has_dependents = vec![false; graph.len()];
    for record in graph.records() {
        for link in record.inputs().flatten() {
            if let Some(slot) = has_dependents.get_mut(link.source.position()) {
                *slot = true;
            }
        }
    }
    let mut drawn = vec![false; graph.len()];
    let leaves = graph.records().filter(|record| has_dependents.get(record.position()) == Some(&false));
    for leaf in leaves {
        let mut stack = vec![Node { record: leaf, selector: "", depth: 0, bars: 0, joint: Joint::Leaf }];
        while let Some(node) = stack.pop() {
            let again = drawn.get(node.record.position()).copied().unwrap_or(false);
            write_line(f, &node, again)?;
            if again {
                continue;
            }
            if let Some(slot) = drawn.get_mut(node.record.position()) {
                *slot = true;
            }
            push_sources(&mut stack, &node);
        }
    }
    Ok(())
}

fn push_sources<'g>(stack: &mut Vec<Node<'g>>, node: &Node<'g>) {
    let sources: Vec<_> = node.record.inputs().flatten().collect();
    let (depth, bars) = match node.joint {
        Joint::Branch { is_last } => (node.depth.saturating_add(1), node.bars << 1 | u32::from(!is_last)),
        Joint::Leaf | Joint::Only => (node.depth, node.bars),
    };
    let several = sources.len() > 1;
    for (n, link) in sources.into_iter().rev().enumerate() {
        let joint = if several { Joint::Branch { is_last: n == 0 } } else { Joint::Only };
        stack.push(Node { record: link.source, selector: link.selector, depth, bars, joint });
    }
}

fn write_line(f: &mut Formatter<'_>, node: &Node<'_>, again: bool) -> fmt::Result {
    let drawn = node.depth.min(MAX_DEPTH);
    if node.depth > drawn {
        write!(f, "({} deeper) ", node.depth - drawn)?;
    }
    for fork in (0..drawn).rev() {
        write!(f, "{}", if node.bars >> fork & 1 == 1 { "│  " } else { "   " })?;
    }
    match node.joint {
        Joint::Leaf => {}
        Joint::Only => write!(f, "│ ")?,
        Joint::Branch { is_last: false } => write!(f, "├─ ")?,
        Joint::Branch { is_last: true } => write!(f, "└─ ")?,
    }
    let record = node.record;
    write!(f, "#{} {}", record.position(), shorten(&record.digest().to_string()))?;
    if !node.selector.is_empty() {
        write!(f, " [{}]", selector(node.selector))?;
    }
    if again {
        return writeln!(f, " (above)");
    }
    match record.results().next() {
        None => writeln!(f),
        Some(result) => {
            write!(f, "  {}, {}", count(result.layers_len() as u64, "layer"), size(result.size()))?;
            if !result.created_at().is_zero() {
                write!(f, ", {}", result.created_at())?;
            }
            match result.top().and_then(|layer| layer.descriptor().annotations.get(ANNOTATION_DESCRIPTION)) {
                Some(step) => writeln!(f, "  {}", printable(step)),
                None => writeln!(f),
            }
        }
    }
}

/// A selector is a path, or the digest of several paths.
fn selector(text: &str) -> String {
    if text.starts_with("sha256:") { shorten(text) } else { printable(text) }
}
