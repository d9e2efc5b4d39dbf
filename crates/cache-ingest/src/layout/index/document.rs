//! The text of `index.json`: read entry by entry, and written with one entry replaced.
//!
//! Unknown members and the entries of other programs are kept to the byte. It touches no file.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use cache_model::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, Descriptor, Digest,
    json::{Object, push_list},
};
use serde_json::value::RawValue;

use crate::layout::index::by_name::ByName;
use crate::layout::index::entry::{ANNOTATION_SUBJECT, LayoutEntry, parse};
use crate::layout::index::members::JsonMembers;
use crate::{Error, ErrorKind, Listed, Name};

/// The media type that is added to an index without one.
const MEDIA_TYPE: &str = r#""application/vnd.oci.image.index.v1+json""#;
/// How many tags an error lists.
const TAGS_LISTED: usize = 10;

/// An `index.json`.
#[derive(Debug, Default)]
pub(crate) struct Index {
    members: Vec<IndexMember>,
    entries: Vec<IndexEntry>,
}

#[derive(Debug)]
enum IndexMember {
    /// The place of the entries.
    Manifests,
    Other(String, Box<RawValue>),
}

#[derive(Debug)]
struct IndexEntry {
    /// The text as it was read, or as it will be written.
    text: Vec<u8>,
    parsed: LayoutEntry,
}

/// Both names of an entry.
#[derive(Debug, PartialEq, Eq)]
struct EntryNames {
    tag: String,
    image: Option<String>,
}

impl Index {
    /// Reads a text. An empty one has no entries, as for BuildKit.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let JsonMembers::<Box<RawValue>>(read) =
            if text.is_empty() { JsonMembers(Vec::new()) } else { serde_json::from_slice(text)? };
        let mut index = Self::default();
        for (key, value) in read {
            if key != "manifests" {
                index.members.push(IndexMember::Other(key, value));
                continue;
            }
            let raw: Option<Vec<Box<RawValue>>> = serde_json::from_str(value.get())?;
            for raw in raw.unwrap_or_default() {
                index.entries.push(IndexEntry { text: raw.get().into(), parsed: parse(raw.get())? });
            }
            index.members.push(IndexMember::Manifests);
        }
        index.fill_defaults()?;
        Ok(index)
    }

    /// The entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &LayoutEntry> {
        self.entries.iter().map(|entry| &entry.parsed)
    }

    pub(crate) fn into_entries(self) -> Vec<LayoutEntry> {
        self.entries.into_iter().map(|entry| entry.parsed).collect()
    }

    /// The entry that a name leads to.
    pub(crate) fn find(&self, name: &Name) -> Option<&LayoutEntry> {
        ByName::of(self.entries()).find(name)
    }

    /// The entries, each with a name that leads to it.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        ByName::of(self.entries()).listed()
    }

    /// The manifests that refer to another one, each as it was added.
    pub(crate) fn referrers(&self, subject: &Digest) -> Vec<Descriptor> {
        let entries = self.entries().filter(|entry| entry.subject() == Some(*subject));
        let descriptors = entries.filter_map(|entry| entry.descriptor().ok()).cloned();
        descriptors
            .map(|mut descriptor| {
                descriptor.annotations.remove(ANNOTATION_SUBJECT);
                descriptor
            })
            .collect()
    }

    /// Adds a manifest that refers to another one.
    pub(crate) fn put_referrer(&mut self, subject: &Digest, referrer: &Descriptor) {
        let is_there = |entry: &LayoutEntry| {
            entry.digest() == Some(referrer.digest) && entry.subject() == Some(*subject)
        };
        if self.entries().any(is_there) {
            return;
        }
        let mut referrer = referrer.clone();
        referrer.annotations.remove(ANNOTATION_REF_NAME);
        referrer.annotations.remove(ANNOTATION_IMAGE_NAME);
        referrer.annotations.set(ANNOTATION_SUBJECT, &subject.to_string());
        self.push(referrer);
    }

    /// Drops the manifests that refer to one which no entry has any more, and says whether there were any.
    pub(crate) fn drop_strays(&mut self) -> bool {
        let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
        let mut waiting = Vec::new();
        for entry in self.entries() {
            let Some(digest) = entry.digest() else { continue };
            match entry.subject() {
                Some(subject) => referrers.entry(subject).or_default().push(digest),
                None => waiting.push(digest),
            }
        }
        let mut kept = HashSet::new();
        while let Some(digest) = waiting.pop() {
            if kept.insert(digest) {
                waiting.extend(referrers.remove(&digest).unwrap_or_default());
            }
        }
        let before = self.entries.len();
        self.entries.retain(|entry| entry.parsed.subject().is_none_or(|subject| kept.contains(&subject)));
        self.entries.len() < before
    }

    /// Adds an entry as it is.
    pub(crate) fn push(&mut self, descriptor: Descriptor) {
        self.entries.push(IndexEntry { text: descriptor.json(), parsed: LayoutEntry::new(descriptor) });
    }

    /// Makes a name stand for a manifest: the entry that had the name is removed, the new one is the last, as in BuildKit.
    ///
    /// For a digest an existing entry of that digest is enough, and stays.
    pub(crate) fn put(&mut self, name: &Name, descriptor: &Descriptor) {
        let mut descriptor = descriptor.clone();
        descriptor.annotations.remove(ANNOTATION_REF_NAME);
        descriptor.annotations.remove(ANNOTATION_IMAGE_NAME);
        let names = match name {
            Name::Digest(_) if self.find(name).is_some() => return,
            Name::Digest(_) => None,
            Name::Unspecified => Some(self.names(Name::LATEST)),
            Name::Tag(tag) => Some(self.names(tag)),
        };
        if let Some(names) = names {
            self.entries.retain(|entry| !names.are_of(&entry.parsed));
            descriptor.annotations.set(ANNOTATION_REF_NAME, &names.tag);
            if let Some(image) = &names.image {
                descriptor.annotations.set(ANNOTATION_IMAGE_NAME, image);
            }
        }
        self.push(descriptor);
    }

    /// Takes away the entry that a name leads to; for a digest all entries of that manifest. `root` is for errors.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a name that leads to none; [`ErrorKind::Conflict`] for a tag of several images.
    pub(crate) fn remove(&mut self, name: &Name, root: &Path) -> Result<(), Error> {
        let subject = || format!("{name} in {}", root.display());
        let Some(found) = self.find(name) else {
            let reason = format_args!("there is no such name; {}", self.tags_in_words());
            return Err(Error::new(ErrorKind::NotFound, "remove", subject(), reason));
        };
        if let Name::Digest(digest) = name {
            let digest = *digest;
            self.entries.retain(|entry| entry.parsed.digest() != Some(digest));
            return Ok(());
        }
        let tag = found.tag().map(str::to_owned);
        let image = found.image_name().map(str::to_owned);
        let is_of_tag = |entry: &&LayoutEntry| entry.tag() == tag.as_deref();
        if let (Name::Tag(typed), Some(image)) = (name, &image)
            && image != typed
            && self.entries().filter(is_of_tag).any(|entry| entry.image_name() != Some(image))
        {
            let reason = "several images have it: name one of them in full, as `bkcache ls` does";
            return Err(Error::new(ErrorKind::Conflict, "remove", subject(), reason));
        }
        self.entries.retain(|entry| {
            entry.parsed.tag() != tag.as_deref() || entry.parsed.image_name() != image.as_deref()
        });
        Ok(())
    }

    /// The tag and the image name of the entry for a tag or full image name.
    fn names(&self, name: &str) -> EntryNames {
        if let Some(entry) = self.entries().find(|entry| entry.image_name() == Some(name)) {
            let tag = entry.tag().unwrap_or_default().to_owned();
            return EntryNames { tag, image: Some(name.to_owned()) };
        }
        match name.rsplit_once('/') {
            Some((_, last)) => {
                let tag = last.rsplit_once(':').map_or(Name::LATEST, |(_, tag)| tag);
                EntryNames { tag: tag.to_owned(), image: Some(name.to_owned()) }
            }
            None => EntryNames { tag: name.to_owned(), image: None },
        }
    }

    /// Adds the members that BuildKit adds if they are missing or empty, in Go's order.
    fn fill_defaults(&mut self) -> Result<(), serde_json::Error> {
        let after_version = 1 + self.set_default("schemaVersion", "2", 0)?;
        self.set_default("mediaType", MEDIA_TYPE, after_version)?;
        if !self.members.iter().any(|member| matches!(member, IndexMember::Manifests)) {
            self.members.push(IndexMember::Manifests);
        }
        Ok(())
    }

    /// Sets an empty member, or inserts a missing one at a place; gives the member's place.
    fn set_default(&mut self, key: &str, default: &str, place: usize) -> Result<usize, serde_json::Error> {
        let default = || RawValue::from_string(default.to_owned());
        for (at, member) in self.members.iter_mut().enumerate() {
            if let IndexMember::Other(other, value) = member
                && other == key
            {
                if matches!(value.get(), "0" | r#""""# | "null") {
                    *value = default()?;
                }
                return Ok(at);
            }
        }
        self.members.insert(place, IndexMember::Other(key.to_owned(), default()?));
        Ok(place)
    }

    /// The text: members and entries as they were read, new ones in Go's compact form.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        for member in &self.members {
            match member {
                IndexMember::Other(key, value) => object.key(key).extend_from_slice(value.get().as_bytes()),
                IndexMember::Manifests => {
                    push_list(&self.entries, object.key("manifests"), |entry, out| {
                        out.extend_from_slice(&entry.text);
                    });
                }
            }
        }
        object.close();
        out
    }

    /// The tags, in words, for an error.
    pub(crate) fn tags_in_words(&self) -> String {
        let names = self.listed().into_iter().filter_map(|listed| listed.name);
        let tags = names.filter_map(|name| if let Name::Tag(tag) = name { Some(tag) } else { None });
        let mut tags: Vec<String> = tags.collect();
        tags.sort_unstable();
        let listed = tags.get(..TAGS_LISTED).unwrap_or(&tags).join(", ");
        match (tags.len(), tags.len().saturating_sub(TAGS_LISTED)) {
            (0, _) => "there are no tags".to_owned(),
            (_, 0) => format!("the tags are: {listed}"),
            (_, more) => format!("the tags are: {listed} and {more} more"),
        }
    }
}

impl EntryNames {
    fn are_of(&self, entry: &LayoutEntry) -> bool {
        entry.tag().unwrap_or_default() == self.tag && entry.image_name() == self.image.as_deref()
    }
}
