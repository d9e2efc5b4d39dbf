//! The entries that a selector with a wildcard or with patterns chooses, one by one (BuildKit's `cache/contenthash`).

use super::content_error::ContentError;
use super::entry::EntryKind;
use super::{Tree, TreeNode, TreeWalk, names_of};
use crate::content_rule::ContentSelector;
use crate::patterns::{PathPattern, PatternMatches, Patterns, has_wildcard};

/// What a selector chooses, in order.
pub(super) struct FilteredEntries<'t> {
    /// The length of the beginning that all paths have, and that is not hashed.
    pub(super) prefix: usize,
    pub(super) entries: Vec<FilteredEntry<'t>>,
}

/// A chosen entry. Its paths have a `/` before each name.
pub(super) struct FilteredEntry<'t> {
    /// The path by which the selector reaches the entry.
    pub(super) path: Vec<u8>,
    /// The path without links.
    pub(super) real_path: Vec<u8>,
    /// Of a folder only the header counts.
    pub(super) node: TreeNode<'t>,
    /// Whether it is a link that stands for what it leads to.
    pub(super) is_followed: bool,
}

/// A selector while it goes through the entries.
struct SelectorFilter<'t> {
    follow: bool,
    include: Option<Patterns>,
    exclude: Option<Patterns>,
    /// What whole paths have to match.
    wildcard: Option<PathPattern>,
    base: Option<PathBase>,
    /// The folder whose own header is skipped.
    headless: Option<Vec<u8>>,
    /// The folders above the next entry. One that was not chosen may be chosen later.
    above: Vec<FolderAbove<'t>>,
    chosen: Vec<FilteredEntry<'t>>,
}

/// The entry that matched the wildcard, or that the path leads to. Patterns are for the paths below it.
#[derive(Clone, Copy)]
struct PathBase {
    depth: usize,
    length: usize,
}

struct FolderAbove<'t> {
    depth: usize,
    matches: FilterMatches,
    /// The entry, until it is chosen.
    entry: Option<FilteredEntry<'t>>,
}

/// Which patterns matched a folder. `None` where that is not known.
#[derive(Default)]
struct FilterMatches {
    include: Option<PatternMatches>,
    exclude: Option<PatternMatches>,
}

/// The entries that a selector with a wildcard or with patterns chooses.
pub(super) fn filtered<'t>(
    tree: &'t Tree,
    selector: &ContentSelector,
) -> Result<FilteredEntries<'t>, ContentError> {
    let mut filter = SelectorFilter::new(selector)?;
    let path = names_of(selector.path.as_bytes());
    let fixed = match selector.wildcard {
        true => path.iter().take_while(|name| !has_wildcard(name)).count(),
        false => path.len(),
    };
    let prefix = joined(path.get(..fixed).unwrap_or_default());
    let path = joined(&path);
    let Some(start) = tree.look_up(&prefix, prefix.len() < path.len())? else {
        return Ok(FilteredEntries { prefix: prefix.len(), entries: Vec::new() });
    };
    if selector.wildcard && !path.is_empty() {
        filter.wildcard = Some(PathPattern::parse(&String::from_utf8_lossy(&path))?);
    } else {
        filter.base = Some(PathBase { depth: 0, length: path.len() });
    }
    filter.headless = selector.path.ends_with('/').then_some(path);
    let mut walk = TreeWalk::new(tree, start.node, prefix.clone());
    let mut next = Some(start.node);
    while let Some(node) = next {
        let below_start = walk.path.get(prefix.len()..).unwrap_or_default();
        let real_path = [start.path.as_slice(), below_start].concat();
        filter.visit(
            walk.depth,
            FilteredEntry { path: walk.path.clone(), real_path, node, is_followed: false },
        )?;
        next = walk.next();
    }
    Ok(FilteredEntries { prefix: prefix.len(), entries: filter.chosen })
}

impl<'t> SelectorFilter<'t> {
    fn new(selector: &ContentSelector) -> Result<Self, ContentError> {
        let parse = |texts: &[String]| (!texts.is_empty()).then(|| Patterns::parse(texts)).transpose();
        Ok(Self {
            follow: selector.follow,
            include: parse(&selector.include)?,
            exclude: parse(&selector.exclude)?,
            wildcard: None,
            base: None,
            headless: None,
            above: Vec::new(),
            chosen: Vec::new(),
        })
    }

    /// Takes the next entry of the walk.
    fn visit(&mut self, depth: usize, mut entry: FilteredEntry<'t>) -> Result<(), ContentError> {
        while self.above.last().is_some_and(|folder| folder.depth >= depth) {
            self.above.pop();
        }
        let Some(base) = self.base(depth, &entry.path) else { return Ok(()) };
        let below = entry.path.get(base.length..).unwrap_or_default();
        let (is_chosen, matches) = self.check(below.strip_prefix(b"/").unwrap_or(below))?;
        match entry.node {
            TreeNode::Folder(_) if self.headless.as_ref() == Some(&entry.path) => {}
            TreeNode::Folder(_) => {
                self.above.push(FolderAbove { depth, matches, entry: Some(entry) });
                if is_chosen {
                    self.choose_above();
                }
            }
            TreeNode::Other(other) if is_chosen => {
                let is_link = matches!(other.kind(), EntryKind::Symlink { .. });
                entry.is_followed = self.follow && is_link && self.above.is_empty();
                self.choose_above();
                self.chosen.push(entry);
            }
            TreeNode::Other(_) => {}
        }
        Ok(())
    }

    /// The base of an entry. `None` if it does not match the wildcard.
    fn base(&mut self, depth: usize, path: &[u8]) -> Option<PathBase> {
        let Some(wildcard) = &self.wildcard else { return self.base };
        if self.base.is_none_or(|base| depth <= base.depth) {
            self.base = wildcard.matches(path).then_some(PathBase { depth, length: path.len() });
        }
        self.base
    }

    /// Whether the patterns choose a path, and which of them matched. The excludes are asked only where the includes match, as
    /// BuildKit does; so below a folder that is not included nothing is known of them.
    fn check(&self, path: &[u8]) -> Result<(bool, FilterMatches), ContentError> {
        let parent = self.above.last().map(|folder| &folder.matches);
        let mut matches = FilterMatches::default();
        if let Some(include) = &self.include {
            let (is_match, found) = include.check(path, parent.and_then(|parent| parent.include.as_ref()))?;
            matches.include = Some(found);
            if !is_match {
                return Ok((false, matches));
            }
        }
        let Some(exclude) = &self.exclude else { return Ok((true, matches)) };
        let (is_match, found) = exclude.check(path, parent.and_then(|parent| parent.exclude.as_ref()))?;
        matches.exclude = Some(found);
        Ok((!is_match, matches))
    }

    /// Chooses the folders above the next entry that were not yet.
    fn choose_above(&mut self) {
        self.chosen.extend(self.above.iter_mut().filter_map(|folder| folder.entry.take()));
    }
}

/// A path with a `/` before each name.
fn joined(names: &[&[u8]]) -> Vec<u8> {
    names.iter().flat_map(|name| [b"/".as_slice(), *name]).collect::<Vec<_>>().concat()
}
