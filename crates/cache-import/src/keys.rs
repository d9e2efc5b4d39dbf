//! What a solver asks of an imported cache, answered from indices.
//!
//! A solver knows the keys of what it is about to build and asks, step by step, which records follow and which
//! results they give. It knows nothing of how the cache is stored.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;

use cache_model::{Compression, Graph, RecordDigest, RecordRef, ResultRef};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use sha2::{Digest as _, Sha256};

/// The keys of a graph, indexed for a solver's questions.
pub struct CacheKeys<'g> {
    graph: &'g Graph<'g>,
    ids: Vec<KeyId>,
    by_id: HashMap<KeyId, usize>,
    /// The first of the links with each source, input, digest and selector; the others follow.
    links: HashTable<u32>,
    targets: Vec<Target<'g>>,
    state: RandomState,
}

/// A link, seen from its source.
struct Target<'g> {
    source: usize,
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
    /// The id of the root with this digest.
    pub fn root(digest: &RecordDigest) -> Self {
        Self(digest.clone())
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
        let mut layers = result.layers_downwards();
        match self {
            Self::Any => true,
            Self::Some(wanted) => layers.any(|layer| layer.compression() == Some(wanted)),
            Self::All(wanted) => {
                result.layers_len() > 0 && layers.all(|layer| layer.compression() == Some(wanted))
            }
        }
    }
}

/// The digest under which a record stands for one output of a vertex: the SHA-256 of `<digest>@<output>`.
pub(crate) fn output_digest(digest: &RecordDigest, output: usize) -> RecordDigest {
    RecordDigest::sha256(Sha256::digest(format!("{digest}@{output}")).into())
}

impl<'g> CacheKeys<'g> {
    /// Indexes a graph. Takes time and memory linear in its links.
    pub fn new(graph: &'g Graph<'g>) -> Self {
        let mut keys = Self {
            graph,
            ids: Vec::with_capacity(graph.len()),
            by_id: HashMap::with_capacity(graph.len()),
            links: HashTable::with_capacity(graph.links_len()),
            targets: Vec::with_capacity(graph.links_len()),
            state: RandomState::default(),
        };
        for record in graph.records() {
            // Sources come first, so their ids are known.
            let id = keys.derive_id(record);
            keys.by_id.insert(id.clone(), record.position());
            keys.ids.push(id);
            for (input, links) in record.inputs().enumerate() {
                for link in links {
                    keys.index(link.source.position(), input, link.selector, record);
                }
            }
        }
        keys
    }

    fn derive_id(&self, record: RecordRef<'g>) -> KeyId {
        if record.inputs_len() == 0 {
            return KeyId::root(record.digest());
        }
        // Each part is preceded by its length, so that no two keys have one text.
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text);
        };
        part(&record.digest().to_string());
        for links in record.inputs() {
            let mut texts: Vec<(String, &str)> = links
                .map(|link| (self.ids.get(link.source.position()).map(ToString::to_string), link.selector))
                .map(|(id, selector)| (id.unwrap_or_default(), selector))
                .collect();
            texts.sort_unstable();
            part(&texts.len().to_string());
            for (id, selector) in texts {
                part(&id);
                part(selector);
            }
        }
        KeyId(RecordDigest::sha256(hasher.finalize().into()))
    }

    fn index(&mut self, source: usize, input: usize, selector: &'g str, record: RecordRef<'g>) {
        let Ok(new) = u32::try_from(self.targets.len()) else { return };
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

    fn find(&self, hash: u64, key: (usize, usize, &RecordDigest, &str)) -> Option<u32> {
        let same = |at: &u32| {
            self.targets.get(*at as usize).is_some_and(|target| key_of(self.graph, target) == Some(key))
        };
        self.links.find(hash, same).copied()
    }

    /// The id of a record.
    pub fn id(&self, record: RecordRef<'_>) -> Option<&KeyId> {
        self.ids.get(record.position())
    }

    /// The record with an id.
    pub fn record(&self, id: &KeyId) -> Option<RecordRef<'g>> {
        self.graph.at(*self.by_id.get(id)?)
    }

    /// The keys that follow from `source` by a link, in the order of their records. Takes constant time, and for
    /// each key.
    pub fn follow(&self, source: &KeyId, query: LinkQuery<'_>) -> Vec<&KeyId> {
        let Some(source) = self.by_id.get(source) else { return Vec::new() };
        let digest = output_digest(query.digest, query.output);
        let key = (*source, query.input, &digest, query.selector);
        let mut found = Vec::new();
        let mut next = self.find(self.state.hash_one(key), key);
        while let Some(target) = next.and_then(|at| self.targets.get(at as usize)) {
            found.push(target.record);
            next = target.next;
        }
        found.sort_unstable();
        found.iter().filter_map(|record| self.ids.get(*record)).collect()
    }

    /// The links of a key to what it depends on. Takes time linear in their number.
    pub fn back_links(&self, id: &KeyId) -> Vec<BackLink> {
        let Some(record) = self.record(id) else { return Vec::new() };
        let mut found = Vec::new();
        for (input, links) in record.inputs().enumerate() {
            found.extend(links.filter_map(|link| {
                let source = self.id(link.source)?.clone();
                Some(BackLink { source, input, selector: link.selector.to_owned() })
            }));
        }
        found
    }

    /// The results of a key that fit, newest first.
    pub fn results(&self, id: &KeyId, wanted: Wanted) -> impl Iterator<Item = ResultRef<'g>> {
        let results = self.record(id).into_iter().flat_map(RecordRef::results);
        results.filter(move |result| wanted.fits(*result))
    }
}

fn key_of<'a>(
    graph: &'a Graph<'_>,
    target: &Target<'a>,
) -> Option<(usize, usize, &'a RecordDigest, &'a str)> {
    let digest = graph.at(target.record)?.digest();
    Some((target.source, target.input, digest, target.selector))
}
