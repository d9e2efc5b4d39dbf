//! What the records of a cache stand for, as data.
//!
//! Nothing is computed here.

use std::collections::HashMap;

use cache_keys::ContentRule;
use cache_model::{Digest, RecordDigest};

/// The names of a cache's records, by the digest of the record. Equal steps are one record, so a record can have several
/// names, and records with one digest have the same names.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    names: HashMap<RecordDigest, Vec<Name>>,
}

/// One meaning of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Name {
    /// The position of the build, among those that were given.
    pub build: usize,
    /// What the record stands for in that build.
    pub meaning: Meaning,
    /// How that was found.
    pub found: NameSource,
}

/// What a record stands for in a build. Steps are positions in the build's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// An output of a step.
    Step {
        /// The step.
        step: usize,
        /// The output, nearly always 0.
        output: usize,
    },
    /// The content that a step reads from one of its inputs.
    Content {
        /// The step that reads it.
        step: usize,
        /// The position of the input.
        input: usize,
        /// The paths that it reads, wildcards as they were written.
        paths: Vec<String>,
    },
    /// What a source resolved to.
    Source {
        /// The source.
        step: usize,
        /// What of it is in the record's digest.
        identity: SourceIdentity,
    },
}

/// What identifies a source in the digest of a record. An image has two records, one for each of the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceIdentity {
    /// The digest of an image's manifest or index, with the platform.
    Manifest(Digest),
    /// The layers of an image: so many diff IDs, hashed into a chain id.
    Layers(usize),
    /// The commit of a Git repository.
    Commit(String),
    /// The bytes of a file that was downloaded.
    File(Digest),
    /// Known by place only: it stands where a key of this source has to stand.
    Unknown,
}

/// How a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NameSource {
    /// The digest was computed and is equal.
    Computed,
    /// The digest cannot be computed from what was given. The record hangs where only this can hang.
    ByPlace,
}

impl Meaning {
    /// The content that a step selects from an input by a rule.
    pub(crate) fn content(step: usize, input: usize, rule: &ContentRule) -> Self {
        let paths = rule.selectors.iter().map(|selector| selector.path.clone()).collect();
        Self::Content { step, input, paths }
    }
}

impl Dictionary {
    /// The names of the records with a digest; none if it has no name.
    pub fn names(&self, digest: &RecordDigest) -> &[Name] {
        self.names.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The digests that have names, in no order.
    pub fn digests(&self) -> impl ExactSizeIterator<Item = &RecordDigest> {
        self.names.keys()
    }

    /// Adds a name, unless the digest has one with the same meaning in the same build.
    pub(crate) fn add(&mut self, digest: &RecordDigest, name: Name) {
        let names = self.names.entry(digest.clone()).or_default();
        if !names.iter().any(|known| known.build == name.build && known.meaning == name.meaning) {
            names.push(name);
        }
    }
}
