//! The records of a graph as a tree: each above the records that it depends on.
//!
//! A record is drawn once; where it comes again it is named by its number. A record that depends on one other stands
//! right above it, so that a long chain stays narrow; only a fork is indented. No recursion, however deep the graph.

use std::io::{self, Write};

use cache_model::{ANNOTATION_DESCRIPTION, Graph, RecordRef};

use crate::display::{count, printable, shorten, size};

/// Deeper forks than this are named, not drawn.
const MAX_DEPTH: u32 = 24;

/// A record that is to be drawn.
struct Item<'g> {
    record: RecordRef<'g>,
    selector: &'g str,
    /// How many forks it is below.
    depth: u32,
    /// Whether more is to come at the nearest of these forks, a bit each, the nearest lowest.
    bars: u32,
    /// How it hangs on what is above it.
    joint: Joint,
}

#[derive(Clone, Copy, PartialEq)]
enum Joint {
    /// Nothing is above it.
    Leaf,
    /// It is the only source of what is above it.
    Only,
    /// It is one of several; whether it is the last.
    Branch { is_last: bool },
}

/// Draws the tree.
pub(crate) fn write(out: &mut dyn Write, graph: &Graph<'_>) -> io::Result<()> {
    let mut depended_on = vec![false; graph.len()];
    for record in graph.records() {
        for link in record.inputs().flatten() {
            if let Some(slot) = depended_on.get_mut(link.source.position()) {
                *slot = true;
            }
        }
    }
    let mut drawn = vec![false; graph.len()];
    let leaves = graph.records().filter(|record| depended_on.get(record.position()) == Some(&false));
    for leaf in leaves {
        let mut stack = vec![Item { record: leaf, selector: "", depth: 0, bars: 0, joint: Joint::Leaf }];
        while let Some(item) = stack.pop() {
            let again = drawn.get(item.record.position()).copied().unwrap_or(false);
            write_line(out, &item, again)?;
            if again {
                continue;
            }
            if let Some(slot) = drawn.get_mut(item.record.position()) {
                *slot = true;
            }
            push_sources(&mut stack, &item);
        }
    }
    Ok(())
}

fn push_sources<'g>(stack: &mut Vec<Item<'g>>, item: &Item<'g>) {
    let sources: Vec<_> = item.record.inputs().flatten().collect();
    let (depth, bars) = match item.joint {
        Joint::Branch { is_last } => (item.depth.saturating_add(1), item.bars << 1 | u32::from(!is_last)),
        Joint::Leaf | Joint::Only => (item.depth, item.bars),
    };
    let several = sources.len() > 1;
    for (n, link) in sources.into_iter().rev().enumerate() {
        let joint = if several { Joint::Branch { is_last: n == 0 } } else { Joint::Only };
        stack.push(Item { record: link.source, selector: link.selector, depth, bars, joint });
    }
}

fn write_line(out: &mut dyn Write, item: &Item<'_>, again: bool) -> io::Result<()> {
    let drawn = item.depth.min(MAX_DEPTH);
    if item.depth > drawn {
        write!(out, "({} deeper) ", item.depth - drawn)?;
    }
    for fork in (0..drawn).rev() {
        write!(out, "{}", if item.bars >> fork & 1 == 1 { "│  " } else { "   " })?;
    }
    match item.joint {
        Joint::Leaf => {}
        Joint::Only => write!(out, "│ ")?,
        Joint::Branch { is_last: false } => write!(out, "├─ ")?,
        Joint::Branch { is_last: true } => write!(out, "└─ ")?,
    }
    let record = item.record;
    write!(out, "#{} {}", record.position(), shorten(&record.digest().to_string()))?;
    if !item.selector.is_empty() {
        write!(out, " [{}]", selector(item.selector))?;
    }
    if again {
        return writeln!(out, " (above)");
    }
    match record.results().next() {
        None => writeln!(out),
        Some(result) => {
            write!(out, "  {}, {}", count(result.layers_len() as u64, "layer"), size(result.size()))?;
            if !result.created_at().is_zero() {
                write!(out, ", {}", result.created_at())?;
            }
            match result.top().and_then(|layer| layer.descriptor().annotations.get(ANNOTATION_DESCRIPTION)) {
                Some(step) => writeln!(out, "  {}", printable(step)),
                None => writeln!(out),
            }
        }
    }
}

/// A selector is a path, or the digest of paths.
fn selector(text: &str) -> String {
    if text.starts_with("sha256:") { shorten(text) } else { printable(text) }
}
