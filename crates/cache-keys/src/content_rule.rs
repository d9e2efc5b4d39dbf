//! Which files of an input a step depends on, as data.
//!
//! The rules come from build steps, and trees are checked by them. This file knows neither.

/// The files of an input whose content a step depends on. A step that has a rule for an input finds its record by the content
/// of these files, whichever step made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentRule {
    /// The selectors, in the order in which their checksums are hashed.
    pub selectors: Vec<ContentSelector>,
}

/// One part of a [`ContentRule`]: a path, and which entries at and below it count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ContentSelector {
    /// The path, from the root of the input; with `/` or empty the root itself.
    pub path: String,
    /// Whether the path is a pattern for [`path_match`](crate::path_match).
    pub wildcard: bool,
    /// Whether a symlink that is selected stands for the entry that it points to.
    pub follow: bool,
    /// If any are given, only entries that these [`Patterns`](crate::Patterns) match count.
    pub include: Vec<String>,
    /// Entries that these [`Patterns`](crate::Patterns) match do not count.
    pub exclude: Vec<String>,
}

impl ContentRule {
    /// The rule with these selectors.
    pub fn new(selectors: Vec<ContentSelector>) -> Self {
        Self { selectors }
    }
}

impl ContentSelector {
    /// The entry at a path and everything below it; links are not followed.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Whether the entries at and below the path are chosen one by one, by a wildcard or by patterns.
    pub fn is_filtered(&self) -> bool {
        self.wildcard || !self.include.is_empty() || !self.exclude.is_empty()
    }
}
