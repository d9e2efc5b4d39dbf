//! A build with the folders that it reads.

use std::collections::{BTreeMap, BTreeSet};

use cache_keys::Tree;

use crate::{AddedFiles, Build};

/// A build, and those of its folders that are at hand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BuildInputs<'a> {
    /// The build.
    pub build: &'a Build,
    /// The folders by the names that the build has for them: `context`, or that of a named context. Each is a tree of what a
    /// client sends: the folder without the entries that its ignore file leaves out.
    pub contexts: BTreeMap<String, &'a Tree>,
    /// Steps that are other ones by now, so that their keys are not known (see [`edited_steps`](crate::edited_steps)).
    pub edited: BTreeSet<usize>,
    /// Files of these folders that may be archives, by the names of the folders: `ADD` unpacks archives.
    pub added: BTreeMap<String, &'a AddedFiles>,
}

impl<'a> BuildInputs<'a> {
    /// A build without folders.
    pub fn new(build: &'a Build) -> Self {
        Self { build, contexts: BTreeMap::new(), edited: BTreeSet::new(), added: BTreeMap::new() }
    }

    /// The same build with one more folder.
    pub fn with_context(mut self, name: impl Into<String>, tree: &'a Tree) -> Self {
        self.contexts.insert(name.into(), tree);
        self
    }

    /// The same build with what is in files of a folder.
    pub fn with_added_files(mut self, name: impl Into<String>, added: &'a AddedFiles) -> Self {
        self.added.insert(name.into(), added);
        self
    }
}
