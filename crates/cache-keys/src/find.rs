//! Whether a step is cached, in one question.

use std::fmt;

use cache_model::{RecordDigest, ResultRef};

use crate::link_index::{KeyIx, LinkFrom};
use crate::results::newest_first;
use crate::{CacheKeys, KeyId, ResultFilter};

/// A key that an input of a step depends on, and the part of it that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyLink<'a> {
    /// The key that the input depends on.
    pub source: &'a KeyId,
    /// Which part of the source counts; empty for the whole.
    pub selector: &'a str,
}

impl<'a> KeyLink<'a> {
    /// A link to the part of a key that a selector names; to all of it, if the selector is empty.
    pub fn new(source: &'a KeyId, selector: &'a str) -> Self {
        Self { source, selector }
    }
}

/// The keys of a cache that a step matches: the answer to [`CacheKeys::find`].
#[derive(Clone)]
pub struct StepMatch<'k> {
    keys: &'k CacheKeys,
    found: Vec<KeyIx>,
}

impl CacheKeys {
    /// The keys that one output of a step matches.
    ///
    /// `digest` is that of the step's cache key; the record of its output stands under [`RecordDigest::of_output`].
    /// For each input come the keys that it may depend on, with selectors: the matches of the step that feeds it (see
    /// [`StepMatch::links`]), and the key of its content if the step looks at that ([`KeyId::of_content`]).
    ///
    /// A key matches if in every input it has one of the links that are given. It may have further inputs, as in
    /// BuildKit; these are the records that an add of the same step would join. A step without inputs matches the
    /// root of its digest. An input without links matches nothing.
    pub fn find(&self, digest: impl fmt::Display, output: usize, inputs: &[&[KeyLink<'_>]]) -> StepMatch<'_> {
        self.find_record(&RecordDigest::of_output(digest, output), inputs)
    }

    /// The keys that match a record digest and inputs: [`find`](Self::find) for a caller that knows records and no
    /// steps, as one that compares two caches.
    pub fn find_record(&self, digest: &RecordDigest, inputs: &[&[KeyLink<'_>]]) -> StepMatch<'_> {
        let found = match inputs.split_first() {
            None => self.position(&KeyId::root(digest)).into_iter().collect(),
            Some((first, others)) => {
                let mut found = self.linked(digest, 0, first);
                for (input, links) in (1..).zip(others) {
                    if found.is_empty() {
                        break;
                    }
                    let linked = self.linked(digest, input, links);
                    found.retain(|key| linked.binary_search(key).is_ok());
                }
                found
            }
        };
        StepMatch { keys: self, found }
    }

    /// The keys that have one of the links in an input, sorted.
    fn linked(&self, digest: &RecordDigest, input: usize, links: &[KeyLink<'_>]) -> Vec<KeyIx> {
        let followers = links.iter().flat_map(|link| {
            let source = self.position(link.source);
            source.into_iter().flat_map(|source| {
                self.followers(LinkFrom { source, input, digest, selector: link.selector })
            })
        });
        let mut linked: Vec<KeyIx> = followers.collect();
        linked.sort_unstable();
        linked.dedup();
        linked
    }
}

impl<'k> StepMatch<'k> {
    /// The ids of the matched keys, nearly always one.
    pub fn ids(&self) -> impl Iterator<Item = &'k KeyId> {
        let keys = self.keys;
        self.found.iter().filter_map(|key| keys.id_at(*key))
    }

    /// How many keys match.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether the cache does not know the step.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether a matched key has a result, so that the step need not run.
    pub fn is_cached(&self) -> bool {
        self.results().next().is_some()
    }

    /// The results of all matched keys, newest first.
    pub fn results(&self) -> impl Iterator<Item = ResultRef<'k>> + use<'k> {
        self.results_with(ResultFilter::Any)
    }

    /// The results of all matched keys that pass the filter, newest first.
    pub fn results_with(&self, filter: ResultFilter) -> impl Iterator<Item = ResultRef<'k>> + use<'k> {
        let keys = self.keys;
        newest_first(self.found.iter().flat_map(|key| keys.records_at(*key)).collect(), filter)
    }

    /// Links to the matched keys: an input of the next step that takes the part of this output that `selector` names,
    /// or all of it, if the selector is empty.
    pub fn links<'s>(&self, selector: &'s str) -> Vec<KeyLink<'s>>
    where
        'k: 's,
    {
        self.ids().map(|source| KeyLink { source, selector }).collect()
    }
}

impl fmt::Debug for StepMatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}
