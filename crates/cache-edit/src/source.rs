//! A source: one of the caches that are merged.

use cache_model::CacheChains;

use crate::UsedOn;

/// A cache to merge, as it was loaded. Its records are those of its graph, by the rule of the chains.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Source<'a> {
    /// The records.
    pub chains: &'a CacheChains,
    /// The day with which its layers are marked as of use; `None` leaves their marks as they are.
    pub used: Option<UsedOn>,
}

impl<'a> Source<'a> {
    /// A source whose layers keep their marks of use.
    pub fn new(chains: &'a CacheChains) -> Self {
        Self { chains, used: None }
    }

    /// The same source with its layers marked as used on a day, unless they have a later mark.
    #[must_use]
    pub fn marked(mut self, day: UsedOn) -> Self {
        self.used = Some(day);
        self
    }
}
