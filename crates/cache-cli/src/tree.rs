//! The records of a graph as a tree: each above the records that it depends on.
//!
//! A record is drawn once; where it comes again it is named by its number. A record that depends on one other stands
//! right above it, so that a long chain stays narrow; only a fork is indented. No recursion, however deep the graph.

use std::io::{self, Write};

use cache_model::{ANNOTATION_DESCRIPTION, Graph, RecordRef};

use crate::display::{count, printable, shorten, size};

/// Deeper forks than this are named, not drawn.
const MAX_DEPTH: usize = 24;

/// A record that is to be drawn.
struct Item<'g> {
    record: RecordRef<'g>,
    selector: &'g str,
    /// What stands before the lines of this record's own branch, fork by fork: whether more is to come there.
    bars: Vec<bool>,
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
        let mut stack = vec![Item { record: leaf, selector: "", bars: Vec::new(), joint: Joint::Leaf }];
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
    let mut bars = item.bars.clone();
    if let Joint::Branch { is_last } = item.joint {
        bars.push(!is_last);
    }
    let several = sources.len() > 1;
    for (n, link) in sources.into_iter().rev().enumerate() {
        let joint = if several { Joint::Branch { is_last: n == 0 } } else { Joint::Only };
        stack.push(Item { record: link.source, selector: link.selector, bars: bars.clone(), joint });
    }
}

fn write_line(out: &mut dyn Write, item: &Item<'_>, again: bool) -> io::Result<()> {
    let skipped = item.bars.len().saturating_sub(MAX_DEPTH);
    if skipped > 0 {
        write!(out, "({skipped} deeper) ")?;
    }
    for bar in item.bars.iter().skip(skipped) {
        write!(out, "{}", if *bar { "│  " } else { "   " })?;
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
            let total: u64 = result.layers_downwards().fold(0, |sum, layer| sum.saturating_add(layer.size));
            write!(out, "  {}, {}", count(result.layers_len() as u64, "layer"), size(total))?;
            if !result.created_at().is_zero() {
                write!(out, ", {}", result.created_at())?;
            }
            let top = result.layers_downwards().next();
            match top.and_then(|layer| layer.annotations.get(ANNOTATION_DESCRIPTION)) {
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
