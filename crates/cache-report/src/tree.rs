//! The records of a cache as a tree: each record above its sources.
//!
//! A record is drawn once; a later mention gives its number only. A record with one source stands right above it, so
//! that a long chain stays narrow; only a fork is indented. The walk does not recurse, however deep the graph is.

use std::fmt::{self, Display, Formatter};

use cache_model::{ANNOTATION_DESCRIPTION, ConfigRecord, count};

use crate::config_layers::{ConfigLayers, RecordResult, results};
use crate::text::{cut, printable, seconds, shorten, size};
use crate::{Cache, RecordNames};

/// Explains the lines of a tree.
const LEGEND: [&str; 2] = [
    "Below a record: its inputs; \"or\": an alternative to the input above it.",
    "\"1 KiB of 5 KiB in 3 layers\": the step's own layer, then all of its result.",
];
/// Forks deeper than this are given as a number, not drawn.
const MAX_DEPTH: u32 = 24;
/// The most characters of a digest in a line that is too long.
const SHORT_DIGEST: usize = 7;
/// The most characters of a step. Many records can have one layer, whose step may be as long as a manifest.
const LONGEST_STEP: usize = 4096;
/// The most characters of a selector in a line that is too long.
const SHORT_SELECTOR: usize = 16;

/// The records of a cache as a tree, a line for each: its number, its digest, the selector under which it is used, and
/// its newest result.
///
/// The number is the record's position in the config. Of the result it shows the size of the top layer, which is the
/// step's own, and that of all layers.
///
/// ```text
/// #3 066036675b22  94 B of 1.06 KiB in 2 layers, 2026-11-24T02:33:29Z
/// ├─ #1 a768ebf406dd  972 B in 1 layer, 2026-11-24T02:33:29Z
/// │  │ #0 f9dc9c4015f7
/// ├─ or #4 b5bb9d8014a0
/// └─ #2 bdb547e82fc8
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    cache: Cache<'a>,
    names: Option<&'a RecordNames>,
    width: Option<usize>,
}

impl<'a> Tree<'a> {
    /// The tree of a cache, with lines as long as they need to be. Only a step of more than 4,096 characters is cut.
    pub fn of(cache: &Cache<'a>) -> Self {
        Self { cache: *cache, names: None, width: None }
    }

    /// Explains the lines of a tree, in lines of at most `width` characters, which fit 80.
    pub fn legend(width: Option<usize>) -> String {
        let lines = LEGEND.map(|line| width.map_or_else(|| line.to_owned(), |width| cut(line, width)));
        lines.join("\n")
    }

    /// The same tree with what its records stand for, in the place of the steps that layers name.
    #[must_use]
    pub fn with_names(self, names: Option<&'a RecordNames>) -> Self {
        Self { names, ..self }
    }

    /// The same tree in lines of at most `width` characters. Digests and selectors are shortened first.
    #[must_use]
    pub fn with_width(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }
}

impl Display for Tree<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_tree(f, self)
    }
}

/// A record to draw.
struct Node<'a> {
    record: ConfigRecord<'a>,
    selector: &'a str,
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
    /// It is one of several sources: of an input of its own, or an alternative for the input of the branch before it.
    Branch { is_alternative: bool, is_last: bool },
}

fn write_tree(f: &mut Formatter<'_>, tree: &Tree<'_>) -> fmt::Result {
    let config = tree.cache.config;
    let layers = ConfigLayers::of(&tree.cache);
    let mut has_dependents = vec![false; config.records_len()];
    for record in config.records() {
        for link in record.inputs().flatten() {
            if let Some(slot) = usize::try_from(link.record).ok().and_then(|at| has_dependents.get_mut(at)) {
                *slot = true;
            }
        }
    }
    let mut drawn = vec![false; config.records_len()];
    let leaves = config.records().filter(|record| has_dependents.get(record.position()) == Some(&false));
    for leaf in leaves {
        let mut stack = vec![Node { record: leaf, selector: "", depth: 0, bars: 0, joint: Joint::Leaf }];
        while let Some(node) = stack.pop() {
            let again = drawn.get(node.record.position()).copied().unwrap_or(false);
            writeln!(f, "{}", line(&node, again, &layers, tree))?;
            if again {
                continue;
            }
            if let Some(slot) = drawn.get_mut(node.record.position()) {
                *slot = true;
            }
            push_sources(&mut stack, &node, &tree.cache);
        }
    }
    Ok(())
}

fn push_sources<'a>(stack: &mut Vec<Node<'a>>, node: &Node<'a>, cache: &Cache<'a>) {
    let links = node.record.inputs().flat_map(|input| input.enumerate().map(|(n, link)| (n > 0, link)));
    let sources: Vec<_> = links
        .filter_map(|(is_alternative, link)| {
            let source = cache.config.record(usize::try_from(link.record).ok()?)?;
            Some((is_alternative, source, link.selector))
        })
        .collect();
    let (depth, bars) = match node.joint {
        Joint::Branch { is_last, .. } => (node.depth.saturating_add(1), node.bars << 1 | u32::from(!is_last)),
        Joint::Leaf | Joint::Only => (node.depth, node.bars),
    };
    let several = sources.len() > 1;
    for (n, (is_alternative, record, selector)) in sources.into_iter().rev().enumerate() {
        let joint = if several { Joint::Branch { is_alternative, is_last: n == 0 } } else { Joint::Only };
        stack.push(Node { record, selector, depth, bars, joint });
    }
}

/// The line of a record, in at most `width` characters.
fn line(node: &Node<'_>, again: bool, layers: &ConfigLayers<'_>, tree: &Tree<'_>) -> String {
    let width = tree.width;
    let before = format!("{}#{} ", joints(node, width), node.record.position());
    let digest = node.record.digest();
    let digest = digest.as_text().map_or_else(|| shorten(&digest.to_string()), shorten);
    let selector = selector(node.selector);
    let (numbers, time, step) = if again {
        (" (above)".to_owned(), String::new(), String::new())
    } else {
        let newest = results(node.record).max_by_key(|result| result.created_at());
        newest.map(|result| described(result, layers)).unwrap_or_default()
    };
    let name = tree.names.filter(|_| !again).and_then(|names| names.text(node.record.digest()));
    let step = name.map_or(step, |name| format!("  {}", cut(&name, LONGEST_STEP)));
    let whole = |digest: &str, selector: &str, time: &str, step: &str| {
        let selector = if selector.is_empty() { String::new() } else { format!(" [{selector}]") };
        format!("{before}{digest}{selector}{numbers}{time}{step}")
    };
    let long = whole(&digest, &selector, &time, &step);
    let Some(width) = width else { return long };
    if length(&long) <= width {
        return long;
    }
    let (digest, selector) = (cut(&digest, SHORT_DIGEST), cut(&selector, SHORT_SELECTOR));
    let without_step = whole(&digest, &selector, &time, "");
    let room = width.saturating_sub(length(&without_step));
    if length(&without_step) <= width {
        return without_step + &cut(&step, room);
    }
    cut(&whole(&digest, &selector, "", ""), width)
}

/// The lines that lead to a record. On a narrow terminal fewer forks are drawn.
fn joints(node: &Node<'_>, width: Option<usize>) -> String {
    let most = width.map_or(MAX_DEPTH, |width| u32::try_from(width / 8).unwrap_or(MAX_DEPTH).min(MAX_DEPTH));
    let drawn = node.depth.min(most);
    let mut text = match node.depth - drawn {
        0 => String::new(),
        deeper => format!("({deeper} deeper) "),
    };
    for fork in (0..drawn).rev() {
        text.push_str(if node.bars >> fork & 1 == 1 { "│  " } else { "   " });
    }
    text.push_str(match node.joint {
        Joint::Leaf => "",
        Joint::Only => "│ ",
        Joint::Branch { is_last: false, .. } => "├─ ",
        Joint::Branch { is_last: true, .. } => "└─ ",
    });
    if matches!(node.joint, Joint::Branch { is_alternative: true, .. }) {
        text.push_str("or ");
    }
    text
}

/// A result in three parts: its layers, its time, and the step that made its top layer.
fn described(result: RecordResult<'_>, layers: &ConfigLayers<'_>) -> (String, String, String) {
    let (sum, top) = (layers.sum(result), layers.top(result));
    let own = size(top.map_or(0, |layer| layers.size(layer)));
    let of_all = if sum.layers > 1 { format!(" of {}", size(sum.bytes)) } else { String::new() };
    let numbers = format!("  {own}{of_all} in {}", count(sum.layers, "layer"));
    let time = match result.created_at() {
        time if time.is_zero() => String::new(),
        time => format!(", {}", seconds(time)),
    };
    let descriptor = top.and_then(|layer| layers.descriptor(layer));
    let step = descriptor.and_then(|descriptor| descriptor.annotations.get(ANNOTATION_DESCRIPTION));
    (numbers, time, step.map(|step| format!("  {}", cut(step, LONGEST_STEP))).unwrap_or_default())
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// A selector is a path, or the digest of several paths.
fn selector(text: &str) -> String {
    if text.starts_with("sha256:") { shorten(text) } else { printable(text) }
}
