//! The index of a cache's keys, and how it is built.
//!
//! The questions stand beside it: `find`, `links` and `results`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use cache_model::{CacheChains, Graph, ReadError, RecordRef};
use sha2::{Digest as _, Sha256};

use crate::KeyId;
use crate::link_index::{KeyIx, LinkFrom, LinkIndex};

/// The keys of a cache, indexed for a solver's questions.
///
/// Nearly always a key is one record. In a graph that is read by BuildKit's rule, records can become equal in all that
/// they depend on; they are one key, with the links and results of all of them.
///
/// An index owns its graph and is cheap to clone: all clones share one index.
///
/// ```
/// use cache_keys::CacheKeys;
/// use cache_model::{CacheChains, RecordDigest};
///
/// struct Solver {
///     keys: CacheKeys,
/// }
///
/// let mut chains = CacheChains::new();
/// chains.add(&RecordDigest::of_output("source", 0), &[], &[])?;
/// let solver = Solver { keys: CacheKeys::new(chains)? };
///
/// let keys = solver.keys.clone();
/// let task = std::thread::spawn(move || keys.find("source", 0, &[]).len());
/// assert_eq!(task.join().expect("no panic"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CacheKeys {
    index: Arc<Index>,
}

struct Index {
    graph: Graph<'static>,
    keys: Vec<Key>,
    by_id: HashMap<KeyId, KeyIx>,
    key_of_record: Vec<KeyIx>,
    links: LinkIndex,
}

/// A key, with the positions of its records.
struct Key {
    id: KeyId,
    /// The length and the SHA-256 of a long id: many links may name it, and each would hash it.
    long: Option<(usize, [u8; 32])>,
    first: usize,
    others: Vec<usize>,
}

/// The least number of bytes of a long id.
const LONG: usize = 128;

impl Key {
    fn new(id: &KeyId, first: usize) -> Self {
        let text = id.digest().as_text().filter(|text| text.len() >= LONG);
        let long = text.map(|text| (text.len(), Sha256::digest(text).into()));
        Self { id: id.clone(), long, first, others: Vec::new() }
    }

    /// Adds this key's id to the id of a key that depends on it.
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

/// Adds a text to an id. Its length comes first, so that different lists of texts never give the same bytes.
fn add_text(hasher: &mut Sha256, text: &str) {
    hasher.update(text.len().to_be_bytes());
    hasher.update(text);
}

impl CacheKeys {
    /// Reads the graph of a cache and indexes its keys. Takes time and memory linear in the links of the graph.
    ///
    /// # Errors
    /// [`ReadError`] when the chains cannot be read: see [`CacheChains::graph`].
    pub fn new(chains: impl Into<Arc<CacheChains>>) -> Result<Self, ReadError> {
        Ok(Self::from(Graph::shared(chains)?))
    }

    /// The graph whose keys are indexed.
    pub fn graph(&self) -> &Graph<'_> {
        &self.index.graph
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.index.keys.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.index.keys.is_empty()
    }

    /// The ids of all keys, in the order of their first records.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &KeyId> {
        self.index.keys.iter().map(|key| &key.id)
    }

    /// The id of a record of [`graph`](Self::graph); `None` for a record of another graph.
    pub fn id(&self, record: RecordRef<'_>) -> Option<&KeyId> {
        let own = self.graph().at(record.position()).filter(|own| *own == record)?;
        self.id_at(self.key_at(own.position())?)
    }

    /// The record with an id; the first where there are several.
    pub fn record(&self, id: &KeyId) -> Option<RecordRef<'_>> {
        self.records(id).next()
    }

    /// The records with an id, in their order: none or one, unless records are equal in all that they depend on.
    pub fn records(&self, id: &KeyId) -> impl Iterator<Item = RecordRef<'_>> + use<'_> {
        self.position(id).into_iter().flat_map(|key| self.records_at(key))
    }

    /// The position of the key with an id.
    pub(crate) fn position(&self, id: &KeyId) -> Option<KeyIx> {
        self.index.by_id.get(id).copied()
    }

    pub(crate) fn id_at(&self, key: KeyIx) -> Option<&KeyId> {
        self.index.key(key).map(|key| &key.id)
    }

    /// The key of the record at a position of the graph.
    pub(crate) fn key_at(&self, record: usize) -> Option<KeyIx> {
        self.index.key_of_record.get(record).copied()
    }

    pub(crate) fn records_at(&self, key: KeyIx) -> impl Iterator<Item = RecordRef<'_>> + use<'_> {
        let key = self.index.key(key).into_iter();
        let positions = key.flat_map(|key| std::iter::once(&key.first).chain(&key.others));
        positions.filter_map(|position| self.index.graph.at(*position))
    }

    /// The keys with a link, each once, in the order of their first records.
    pub(crate) fn followers(&self, link: LinkFrom<'_>) -> Vec<KeyIx> {
        let mut found: Vec<KeyIx> = self.index.links.followers(link).collect();
        // Keys are numbered in the order of their first records.
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl From<Graph<'static>> for CacheKeys {
    /// Indexes a graph that owns its chains: see [`Graph::shared`].
    fn from(graph: Graph<'static>) -> Self {
        let mut keys = Keys::with_capacity(graph.len());
        let mut links = LinkIndex::with_capacity(graph.links_len());
        // Sources come first, so their keys are known.
        for record in graph.records() {
            let key = keys.add(record);
            for (input, sources) in record.inputs().enumerate() {
                for link in sources {
                    let Some(source) = keys.of_record.get(link.source.position()).copied() else { continue };
                    let digest = record.digest();
                    links.insert(LinkFrom { source, input, digest, selector: link.selector }, key);
                }
            }
        }
        let Keys { list, by_id, of_record } = keys;
        Self { index: Arc::new(Index { graph, keys: list, by_id, key_of_record: of_record, links }) }
    }
}

impl Index {
    fn key(&self, key: KeyIx) -> Option<&Key> {
        self.keys.get(key as usize)
    }
}

impl fmt::Debug for CacheKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for key in &self.index.keys {
            map.entry(&key.id, &self.index.graph.at(key.first));
        }
        map.finish()
    }
}

/// The keys while they are collected, record by record.
struct Keys {
    list: Vec<Key>,
    by_id: HashMap<KeyId, KeyIx>,
    of_record: Vec<KeyIx>,
}

impl Keys {
    fn with_capacity(records: usize) -> Self {
        Self {
            list: Vec::with_capacity(records),
            by_id: HashMap::with_capacity(records),
            of_record: Vec::with_capacity(records),
        }
    }

    /// Adds the next record of the graph, and gives its key.
    fn add(&mut self, record: RecordRef<'_>) -> KeyIx {
        let position = record.position();
        let key = match self.by_id.entry(self.derive_id(record)) {
            Entry::Occupied(known) => {
                if let Some(key) = self.list.get_mut(*known.get() as usize) {
                    key.others.push(position);
                }
                *known.get()
            }
            Entry::Vacant(new) => {
                // A graph has fewer than 2^32 records.
                let key = KeyIx::try_from(self.list.len()).unwrap_or(KeyIx::MAX);
                self.list.push(Key::new(new.key(), position));
                *new.insert(key)
            }
        };
        self.of_record.push(key);
        key
    }

    fn derive_id(&self, record: RecordRef<'_>) -> KeyId {
        if record.inputs_len() == 0 {
            return KeyId::root(record.digest());
        }
        let mut hasher = Sha256::new();
        add_text(&mut hasher, &record.digest().to_string());
        for links in record.inputs() {
            let mut links: Vec<(KeyIx, &str)> = links
                .filter_map(|link| Some((*self.of_record.get(link.source.position())?, link.selector)))
                .collect();
            // By the texts of the ids. One may be as long as the cache, so they are compared only where keys differ.
            let id = |key: KeyIx| self.list.get(key as usize).map(|key| &key.id);
            links.sort_unstable_by(
                |(a, a_selector), (b, b_selector)| {
                    if a == b { a_selector.cmp(b_selector) } else { id(*a).cmp(&id(*b)) }
                },
            );
            // Two sources can be one key.
            links.dedup();
            add_text(&mut hasher, &links.len().to_string());
            for (key, selector) in links {
                if let Some(key) = self.list.get(key as usize) {
                    key.add_to(&mut hasher);
                }
                add_text(&mut hasher, selector);
            }
        }
        KeyId::derived(hasher.finalize().into())
    }
}
