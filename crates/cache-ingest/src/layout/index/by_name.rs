//! Looks up index entries by name, and names entries for listing.
//!
//! The name that an entry is listed by always leads to that entry. Nothing here reads or changes the index.

use std::collections::{HashMap, HashSet};
use std::ptr;

use cache_model::Digest;

use crate::layout::index::entry::LayoutEntry;
use crate::{Listed, Name};

/// The entries of an index by image name, tag and digest; referrers by their digest only.
pub(crate) struct ByName<'i> {
    entries: Vec<&'i LayoutEntry>,
    images: HashMap<&'i str, &'i LayoutEntry>,
    tags: HashMap<&'i str, Tagged<'i>>,
    digests: HashMap<Digest, &'i LayoutEntry>,
}

/// The entry that a tag leads to.
struct Tagged<'i> {
    entry: &'i LayoutEntry,
    is_alone: bool,
}

impl<'i> ByName<'i> {
    pub(crate) fn of(entries: impl Iterator<Item = &'i LayoutEntry>) -> Self {
        let mut entries: Vec<_> = entries.collect();
        let (mut images, mut digests) = (HashMap::new(), HashMap::new());
        let mut tags: HashMap<&str, Tagged<'_>> = HashMap::new();
        for entry in &entries {
            if let Some(image) = entry.image_name() {
                images.entry(image).or_insert(*entry);
            }
            if let Some(digest) = entry.digest() {
                digests.entry(digest).or_insert(*entry);
            }
            let Some(tag) = entry.tag() else { continue };
            let tagged = tags.entry(tag);
            let tagged = tagged.and_modify(|tagged| tagged.is_alone = false);
            let tagged = tagged.or_insert(Tagged { entry, is_alone: true });
            // Of several entries with the tag, the one without a full name was published under the tag alone.
            if tagged.entry.image_name().is_some() && entry.image_name().is_none() {
                tagged.entry = entry;
            }
        }
        // A referrer belongs to its subject. So it neither is listed nor keeps a manifest from being the only one.
        entries.retain(|entry| entry.subject().is_none());
        Self { entries, images, tags, digests }
    }

    /// The entry that a name leads to.
    pub(crate) fn find(&self, name: &Name) -> Option<&'i LayoutEntry> {
        match name {
            Name::Tag(tag) => self.find_tag(tag),
            Name::Digest(digest) => self.digests.get(digest).copied(),
            Name::Unspecified => self.find_tag(Name::LATEST).or(match self.entries.as_slice() {
                [only] => Some(only),
                _ => None,
            }),
        }
    }

    fn find_tag(&self, name: &str) -> Option<&'i LayoutEntry> {
        self.images.get(name).copied().or_else(|| self.tags.get(name).map(|tagged| tagged.entry))
    }

    /// All entries, each by its tag; by its full image name if other entries have the tag too; by its digest, each digest
    /// once, if neither leads to it. An entry without a valid digest has no name then.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let mut told = HashSet::new();
        let mut list = Vec::new();
        for entry in &self.entries {
            let (name, entry) = match (self.tag_of(entry), entry.digest()) {
                (Some(tag), _) => (Some(Name::Tag(tag.to_owned())), *entry),
                (None, Some(digest)) if !told.insert(digest) => continue,
                (None, Some(digest)) => {
                    (Some(Name::Digest(digest)), self.digests.get(&digest).copied().unwrap_or(entry))
                }
                (None, None) => (None, *entry),
            };
            list.push(Listed { name, descriptor: Some(entry.descriptor().cloned()) });
        }
        list
    }

    /// The tag or full image name that leads to an entry.
    fn tag_of(&self, entry: &'i LayoutEntry) -> Option<&'i str> {
        let leads_here = |name: &&str| self.find_tag(name).is_some_and(|found| ptr::eq(found, entry));
        let tag = entry.tag().filter(|tag| !tag.is_empty()).filter(leads_here);
        let is_alone = |tag: &&str| self.tags.get(tag).is_some_and(|tagged| tagged.is_alone);
        tag.filter(is_alone).or_else(|| entry.image_name().filter(leads_here)).or(tag)
    }
}
