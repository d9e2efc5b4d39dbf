//! What a solver asks of an imported cache, answered from indices.
//!
//! A solver knows the keys of what it is about to build and asks, step by step, which records follow and which
//! results they give. It knows nothing of how the cache is stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::BuildHasher;

use cache_model::{Compression, Graph, RecordDigest, RecordRef, ResultRef};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use sha2::{Digest as _, Sha256};

/// The keys of a graph, indexed for a solver's questions.
///
/// Nearly always a key is one record. In a graph that is read by the order of the adds, records can come to be equal
/// in all that they depend on; they are one key, which has the links and results of all of them.
pub struct CacheKeys<'g> {
    graph: &'g Graph<'g>,
    keys: Vec<Key>,
    by_id: HashMap<KeyId, KeyIx>,
    key_of_record: Vec<KeyIx>,
    /// The first of the links with each source, input, digest and selector; the others follow.
    links: HashTable<u32>,
    targets: Vec<Target<'g>>,
    state: RandomState,
}

/// A position in the list of keys.
type KeyIx = usize;

/// A key, with the positions of its records.
struct Key {
    id: KeyId,
    /// The length and the SHA-256 of an id that is long: it may have many links, and be hashed for each.
    long: Option<(usize, [u8; 32])>,
    first: usize,
    others: Vec<usize>,
}

/// From how many bytes on an id is long.
const LONG: usize = 128;

impl Key {
    fn new(id: &KeyId, first: usize) -> Self {
        let text = id.0.as_text().filter(|text| text.len() >= LONG);
        let long = text.map(|text| (text.len(), Sha256::digest(text).into()));
        Self { id: id.clone(), long, first, others: Vec::new() }
    }

    /// Adds its id to that of a key which depends on it.
    fn add_to(&self, hasher: &mut Sha256) {
        match &self.long {
            Some((length, hash)) => {
                hasher.update(length.to_be_bytes());
                hasher.update(hash);
            }
            None => add_text(hasher, &self.id.to_string()),
        }
    }
}

/// Adds a text to an id: its length comes first, so that no two lists of texts are the same.
fn add_text(hasher: &mut Sha256, text: &str) {
    hasher.update(text.len().to_be_bytes());
    hasher.update(text);
}

/// A link, seen from its source.
struct Target<'g> {
    source: KeyIx,
    input: usize,
    selector: &'g str,
    record: usize,
    next: Option<u32>,
}

/// The id of a key: a root's is its digest; any other's is derived from its digest and its inputs, so that the same
/// key has the same id in every cache.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(RecordDigest);

impl KeyId {
    /// The id of the root with this record digest, as it stands in a cache.
    pub fn root(digest: &RecordDigest) -> Self {
        Self(digest.clone())
    }

    /// The id of the root that stands for one output of a vertex without inputs: its record digest is the SHA-256 of
    /// the text `<digest>@<output>`. What a solver asks for, which knows vertices and not records.
    ///
    /// ```
    /// use cache_keys::{CacheKeys, KeyId};
    /// use cache_model::CacheChains;
    ///
    /// // The SHA-256 of `source@0`.
    /// let record = "sha256:a86d5429b44775a54238a0badddf224dd2fe5c90323b2e4e9959ab045d07a0d4".into();
    /// let mut chains = CacheChains::new();
    /// chains.add(&record, &[], &[])?;
    /// let graph = chains.graph()?;
    /// let keys = CacheKeys::new(&graph);
    /// assert_eq!(KeyId::of_root(&"source".into(), 0), KeyId::root(&record));
    /// assert!(keys.record(&KeyId::of_root(&"source".into(), 0)).is_some());
    /// assert!(keys.record(&KeyId::of_root(&"source".into(), 1)).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_root(digest: &RecordDigest, output: usize) -> Self {
        Self(RecordDigest::of_output(digest, output))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A question: which keys follow from a source.
#[derive(Clone, Copy, Debug)]
pub struct LinkQuery<'a> {
    /// The position of the input that the source feeds.
    pub input: usize,
    /// Which output of the vertex is asked for.
    pub output: usize,
    /// The digest of the vertex's cache key.
    pub digest: &'a RecordDigest,
    /// Which part of the source counts; empty for the whole.
    pub selector: &'a str,
}

/// A link, seen from the key that depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackLink {
    /// The key that is depended on.
    pub source: KeyId,
    /// The position of the input.
    pub input: usize,
    /// Which part of the source counts; empty for the whole.
    pub selector: String,
}

/// What a result must be compressed with to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Anything.
    Any,
    /// At least one of its layers has this compression.
    Some(Compression),
    /// All of its layers have this compression.
    All(Compression),
}

impl Wanted {
    /// Whether a result fits. One without layers does not, unless anything does.
    pub fn fits(self, result: ResultRef<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Some(wanted) => result.has_compression(wanted),
            Self::All(wanted) => result.has_only_compression(wanted),
        }
    }
}

impl<'g> CacheKeys<'g> {
    /// Indexes a graph. Takes time and memory linear in its links.
    pub fn new(graph: &'g Graph<'g>) -> Self {
        let mut keys = Self {
            graph,
            keys: Vec::with_capacity(graph.len()),
            by_id: HashMap::with_capacity(graph.len()),
            key_of_record: Vec::with_capacity(graph.len()),
            links: HashTable::with_capacity(graph.links_len()),
            targets: Vec::with_capacity(graph.links_len()),
            state: RandomState::default(),
        };
        for record in graph.records() {
            // Sources come first, so their ids are known.
            keys.note(record);
            for (input, links) in record.inputs().enumerate() {
                for link in links {
                    keys.index(link.source, input, link.selector, record);
                }
            }
        }
        keys
    }

    fn note(&mut self, record: RecordRef<'g>) {
        let position = record.position();
        let key = match self.by_id.entry(self.derive_id(record)) {
            Entry::Occupied(known) => {
                if let Some(key) = self.keys.get_mut(*known.get()) {
                    key.others.push(position);
                }
                *known.get()
            }
            Entry::Vacant(new) => {
                let key = self.keys.len();
                self.keys.push(Key::new(new.key(), position));
                *new.insert(key)
            }
        };
        self.key_of_record.push(key);
    }

    fn derive_id(&self, record: RecordRef<'g>) -> KeyId {
        if record.inputs_len() == 0 {
            return KeyId::root(record.digest());
        }
        let mut hasher = Sha256::new();
        add_text(&mut hasher, &record.digest().to_string());
        for links in record.inputs() {
            let mut links: Vec<(KeyIx, &str)> = links
                .filter_map(|link| Some((*self.key_of_record.get(link.source.position())?, link.selector)))
                .collect();
            // As their texts go, which are looked at only where they differ: one may be as long as the cache.
            let id = |key: KeyIx| self.keys.get(key).map(|key| &key.id);
            links.sort_unstable_by(
                |(a, a_selector), (b, b_selector)| {
                    if a == b { a_selector.cmp(b_selector) } else { id(*a).cmp(&id(*b)) }
                },
            );
            // Two sources can be one key.
            links.dedup();
            add_text(&mut hasher, &links.len().to_string());
            for (key, selector) in links {
                if let Some(key) = self.keys.get(key) {
                    key.add_to(&mut hasher);
                }
                add_text(&mut hasher, selector);
            }
        }
        KeyId(RecordDigest::sha256(hasher.finalize().into()))
    }

    fn index(&mut self, source: RecordRef<'g>, input: usize, selector: &'g str, record: RecordRef<'g>) {
        let Ok(new) = u32::try_from(self.targets.len()) else { return };
        let Some(source) = self.key_of_record.get(source.position()).copied() else { return };
        let key = (source, input, record.digest(), selector);
        let hash = self.state.hash_one(key);
        let first = self.find(hash, key);
        let next = first.and_then(|first| self.targets.get(first as usize)).and_then(|first| first.next);
        self.targets.push(Target { source, input, selector, record: record.position(), next });
        match first.and_then(|first| self.targets.get_mut(first as usize)) {
            Some(first) => first.next = Some(new),
            None => {
                let Self { links, targets, state, graph, .. } = self;
                links.insert_unique(hash, new, |at| {
                    let target = targets.get(*at as usize);
                    target.and_then(|target| key_of(graph, target)).map_or(0, |key| state.hash_one(key))
                });
            }
        }
    }

    fn find(&self, hash: u64, key: (KeyIx, usize, &RecordDigest, &str)) -> Option<u32> {
        let same = |at: &u32| {
            self.targets.get(*at as usize).is_some_and(|target| key_of(self.graph, target) == Some(key))
        };
        self.links.find(hash, same).copied()
    }

    /// The id of a record.
    pub fn id(&self, record: RecordRef<'_>) -> Option<&KeyId> {
        let key = self.key_of_record.get(record.position())?;
        self.keys.get(*key).map(|key| &key.id)
    }

    /// The record with an id; the first where there are several.
    pub fn record(&self, id: &KeyId) -> Option<RecordRef<'g>> {
        self.records(id).next()
    }

    /// The records with an id, in their order: none or one, save where records are equal in all that they depend on.
    pub fn records(&self, id: &KeyId) -> impl Iterator<Item = RecordRef<'g>> + use<'g, '_> {
        let graph = self.graph;
        let key = self.by_id.get(id).and_then(|key| self.keys.get(*key));
        let positions = key.into_iter().flat_map(|key| std::iter::once(&key.first).chain(&key.others));
        positions.filter_map(|position| graph.at(*position))
    }

    /// The keys that follow from `source` by a link, each once, in the order of their first records. Takes time for
    /// the links that are found only.
    pub fn follow(&self, source: &KeyId, query: LinkQuery<'_>) -> Vec<&KeyId> {
        let Some(source) = self.by_id.get(source) else { return Vec::new() };
        let digest = RecordDigest::of_output(query.digest, query.output);
        let key = (*source, query.input, &digest, query.selector);
        let mut found: Vec<KeyIx> = Vec::new();
        let mut next = self.find(self.state.hash_one(key), key);
        while let Some(target) = next.and_then(|at| self.targets.get(at as usize)) {
            found.extend(self.key_of_record.get(target.record));
            next = target.next;
        }
        // Keys are numbered as their first records come.
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|key| self.keys.get(key)).map(|key| &key.id).collect()
    }

    /// The links of a key to what it depends on, each once, by input and then in the order of their sources.
    pub fn back_links(&self, id: &KeyId) -> Vec<BackLink> {
        let mut found = Vec::new();
        for record in self.records(id) {
            for (input, links) in record.inputs().enumerate() {
                found.extend(links.filter_map(|link| {
                    let source = self.key_of_record.get(link.source.position())?;
                    Some((input, *source, link.selector))
                }));
            }
        }
        found.sort_unstable();
        found.dedup();
        let back_link = |(input, source, selector): (usize, KeyIx, &str)| {
            let source = self.keys.get(source)?.id.clone();
            Some(BackLink { source, input, selector: selector.to_owned() })
        };
        found.into_iter().filter_map(back_link).collect()
    }

    /// The results of a key that fit, newest first.
    pub fn results(&self, id: &KeyId, wanted: Wanted) -> impl Iterator<Item = ResultRef<'g>> + use<'g> {
        let records: Vec<RecordRef<'g>> = self.records(id).collect();
        let is_one = records.len() < 2;
        let results = records.into_iter().flat_map(RecordRef::results);
        let fitting = results.filter(move |result| wanted.fits(*result));
        let (alone, merged) = if is_one { (Some(fitting), Vec::new()) } else { (None, merge(fitting)) };
        alone.into_iter().flatten().chain(merged)
    }
}

/// The results of several records: newest first, of equal instants by the lists of blobs, and each once. Of two texts
/// of one instant the smaller is kept.
fn merge<'g>(results: impl Iterator<Item = ResultRef<'g>>) -> Vec<ResultRef<'g>> {
    let mut merged: Vec<_> = results.collect();
    merged.sort_by(|a, b| b.cmp_by_age(*a).then_with(|| a.created_at().cmp_with_text(&b.created_at())));
    merged.dedup_by(|a, b| a.cmp_by_age(*b).is_eq());
    merged
}

fn key_of<'a>(
    graph: &'a Graph<'_>,
    target: &Target<'a>,
) -> Option<(KeyIx, usize, &'a RecordDigest, &'a str)> {
    let digest = graph.at(target.record)?.digest();
    Some((target.source, target.input, digest, target.selector))
}
