//! The links of a key, in both directions, as BuildKit's solver walks them.

use cache_model::RecordDigest;

use crate::link_index::{KeyIx, LinkFrom};
use crate::{CacheKeys, KeyId};

/// A question: which keys follow from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkQuery<'a> {
    /// The position of the input that the source feeds.
    pub input: usize,
    /// The position of the step's output, from 0.
    pub output: usize,
    /// The digest of the step's cache key; [`RecordDigest::of_output`] of it and the output is looked up.
    pub digest: &'a RecordDigest,
    /// Which part of the source counts; empty for the whole.
    pub selector: &'a str,
}

impl<'a> LinkQuery<'a> {
    /// The keys of the first output of a step, whose input at a position takes the whole source.
    pub fn new(digest: &'a RecordDigest, input: usize) -> Self {
        Self { input, output: 0, digest, selector: "" }
    }
}

/// A link, seen from the key that depends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BackLink {
    /// The key that is depended on.
    pub source: KeyId,
    /// The position of the input.
    pub input: usize,
    /// Which part of the source counts; empty for the whole.
    pub selector: String,
}

impl BackLink {
    /// The link from an input to the part of a key that a selector names; to all of it, if the selector is empty.
    pub fn new(source: KeyId, input: usize, selector: impl Into<String>) -> Self {
        Self { source, input, selector: selector.into() }
    }
}

impl CacheKeys {
    /// The keys that follow from `source` by a link, each once, in the order of their first records. Takes time for
    /// the links that are found only.
    pub fn follow(&self, source: &KeyId, query: LinkQuery<'_>) -> Vec<&KeyId> {
        let Some(source) = self.position(source) else { return Vec::new() };
        let digest = RecordDigest::of_output(query.digest, query.output);
        let link = LinkFrom { source, input: query.input, digest: &digest, selector: query.selector };
        self.followers(link).into_iter().filter_map(|key| self.id_at(key)).collect()
    }

    /// The links of a key to its sources, each once, by input and then in the order of the sources.
    pub fn back_links(&self, id: &KeyId) -> Vec<BackLink> {
        let mut found: Vec<(usize, KeyIx, &str)> = Vec::new();
        for record in self.records(id) {
            for (input, links) in record.inputs().enumerate() {
                found.extend(
                    links.filter_map(|link| {
                        Some((input, self.key_at(link.source.position())?, link.selector))
                    }),
                );
            }
        }
        found.sort_unstable();
        found.dedup();
        let back_link = |(input, source, selector): (usize, KeyIx, &str)| {
            Some(BackLink::new(self.id_at(source)?.clone(), input, selector))
        };
        found.into_iter().filter_map(back_link).collect()
    }
}
