//! The links of a graph by their source: which keys follow from a key by a given input, digest and selector.
//!
//! It holds positions only, no record.

use std::collections::HashMap;

use cache_model::RecordDigest;
use foldhash::fast::RandomState;

/// A position in the list of keys.
pub(crate) type KeyIx = u32;

/// A set of texts or digests, each with a number of its own.
type Numbers<T> = HashMap<T, u32, RandomState>;

/// Links by source, input, digest and selector.
#[derive(Default)]
pub(crate) struct LinkIndex {
    digests: Numbers<RecordDigest>,
    selectors: Numbers<Box<str>>,
    /// The first entry of each list of followers.
    first: HashMap<LinkKey, u32, RandomState>,
    followers: Vec<Follower>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct LinkKey {
    source: KeyIx,
    input: u32,
    digest: u32,
    selector: u32,
}

/// An entry of a list of keys that follow from one source.
struct Follower {
    key: KeyIx,
    next: Option<u32>,
}

/// A link as it is asked for.
#[derive(Clone, Copy)]
pub(crate) struct LinkFrom<'a> {
    pub(crate) source: KeyIx,
    pub(crate) input: usize,
    pub(crate) digest: &'a RecordDigest,
    pub(crate) selector: &'a str,
}

impl LinkIndex {
    pub(crate) fn with_capacity(links: usize) -> Self {
        Self {
            first: HashMap::with_capacity_and_hasher(links, RandomState::default()),
            followers: Vec::with_capacity(links),
            ..Self::default()
        }
    }

    /// Notes that `key` has a link. A graph has fewer than 2^32 links and inputs, so every position fits.
    pub(crate) fn insert(&mut self, link: LinkFrom<'_>, key: KeyIx) {
        let (Ok(input), Ok(new)) = (u32::try_from(link.input), u32::try_from(self.followers.len())) else {
            return;
        };
        let digest = number(&mut self.digests, link.digest, RecordDigest::clone);
        let selector = number(&mut self.selectors, link.selector, |text| text.into());
        let link = LinkKey { source: link.source, input, digest, selector };
        let next = self.first.insert(link, new);
        self.followers.push(Follower { key, next });
    }

    /// The keys with a link, in any order; a key stands once for each of its records.
    pub(crate) fn followers(&self, link: LinkFrom<'_>) -> impl Iterator<Item = KeyIx> {
        let mut next = self.key(link).and_then(|link| self.first.get(&link).copied());
        std::iter::from_fn(move || {
            let follower = self.followers.get(usize::try_from(next?).ok()?)?;
            next = follower.next;
            Some(follower.key)
        })
    }

    fn key(&self, link: LinkFrom<'_>) -> Option<LinkKey> {
        Some(LinkKey {
            source: link.source,
            input: u32::try_from(link.input).ok()?,
            digest: *self.digests.get(link.digest)?,
            selector: *self.selectors.get(link.selector)?,
        })
    }
}

/// The number of an item, a new one if it is new.
fn number<Q: Eq + std::hash::Hash + ?Sized, T: std::borrow::Borrow<Q> + Eq + std::hash::Hash>(
    numbers: &mut Numbers<T>,
    item: &Q,
    own: impl FnOnce(&Q) -> T,
) -> u32 {
    if let Some(known) = numbers.get(item) {
        return *known;
    }
    let new = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    numbers.insert(own(item), new);
    new
}
