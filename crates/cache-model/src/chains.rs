//! Cache chains: a log of the added records, with repeated values interned.
//!
//! Adding never merges records and never drops links. A [`Graph`](crate::Graph) that is read from the log does, by the
//! [`Rule`] of the chains. So links that one rule drops are still there for the other.

pub(crate) mod layers;
pub(crate) mod load;
pub(crate) mod log;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::arena::index::{DigestIx, Idx, IndexVec, LayerIx, OpIx, SelectorIx};
use crate::arena::intern::Interner;
use crate::{Descriptor, Digest, RecordDigest, Timestamp};
use layers::{Layers, SizeConflict};
use log::{AddError, CAPACITY, Log, LogLink, LogResult};

/// The records of a cache, as they were added.
///
/// ```
/// use cache_model::{CacheChains, Descriptor, Link, MediaType, NewResult, RecordDigest, Timestamp};
///
/// // Two steps of a build, by the digests of their cache keys, and the layer that the second one made.
/// let (source, copy) = ("sha256:source", "sha256:copy");
/// let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, b"the bytes of the layer");
///
/// let mut chains = CacheChains::new();
/// let source = chains.add(&RecordDigest::of_output(source, 0), &[], &[])?.expect("not a random: digest");
/// let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
/// chains.add(&RecordDigest::of_output(copy, 0), &[&[Link::new(source, "/src")]], &[result])?;
///
/// let marshalled = chains.marshal(&|_| true)?;
/// assert_eq!(marshalled.config.layers().len(), 1);
/// assert_eq!(marshalled.config.records_len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CacheChains {
    tag: u32,
    rule: Rule,
    pub(crate) digests: Interner<DigestIx, RecordDigest>,
    pub(crate) selectors: Interner<SelectorIx, Box<str>>,
    pub(crate) layers: Layers,
    pub(crate) log: Log,
}

/// The rule by which a graph is read from chains: which adds are one record, and which links fall away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// BuildKit's: each add joins the records that it overlaps, in the order of the adds.
    ///
    /// Adds without inputs are one root for each digest. An add with inputs overlaps a record of its digest if they share
    /// a link in every input of the add. It joins all records that it overlaps, which become one record. If it overlaps
    /// none, it is a new record. A link that would close a cycle is dropped. Where records overlap, the graph can depend
    /// on the order of the adds.
    #[default]
    BuildKit,
    /// The one graph that all orders of the adds lead to.
    ///
    /// Records of one digest and one number of inputs that share a link in every input are merged, until no such pair
    /// is left. Then all links within cycles are dropped, and records that have an input without links are left out.
    ///
    /// Use it for merging caches. A cache that one build exported has the same graph by both rules, except in rare
    /// cases.
    ///
    /// Marshalling a closed graph, loading the config and reading it closed again gives the same bytes. Reading it by
    /// BuildKit's rule gives the same bytes if each digest has one number of inputs; otherwise it may not, since
    /// BuildKit's rule joins a record with fewer inputs to an earlier one with more. Marshalling loses the links that
    /// closed cycles. So merging chains is associative; merging caches that were written in between is associative only
    /// if no link was lost.
    Closed,
}

/// The id of an added record in its chains. It stays valid when records are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    tag: u32,
    op: OpIx,
}

/// The id of a layer in its chains; it stands for the layer and all layers below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerId {
    tag: u32,
    layer: LayerIx,
}

/// A link from an input of a new record to a record that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The record that the input depends on.
    pub source: RecordId,
    /// The part of the record that counts; empty for all of it.
    pub selector: &'a str,
}

/// A result that a record gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The time at which the result was made.
    pub created_at: Timestamp,
    /// Its topmost layer; `None` for a result without layers.
    pub layer: Option<LayerId>,
}

impl<'a> Link<'a> {
    /// A link to the part of a record that a selector names; to all of it, if the selector is empty.
    pub fn new(source: RecordId, selector: &'a str) -> Self {
        Self { source, selector }
    }
}

impl NewResult {
    /// The result with this topmost layer; `None` for a result without layers.
    pub fn new(layer: Option<LayerId>, created_at: Timestamp) -> Self {
        Self { created_at, layer }
    }
}

impl std::fmt::Debug for CacheChains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheChains")
            .field("rule", &self.rule)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for CacheChains {
    fn default() -> Self {
        Self::new()
    }
}

impl CacheChains {
    /// Empty chains.
    pub fn new() -> Self {
        static NEXT_TAG: AtomicU32 = AtomicU32::new(0);
        let mut selectors = Interner::new();
        selectors.intern("", |_| Box::default());
        Self {
            tag: NEXT_TAG.fetch_add(1, Ordering::Relaxed),
            rule: Rule::default(),
            digests: Interner::new(),
            selectors,
            layers: Layers::new(),
            log: Log::new(),
        }
    }

    /// The layer of `descriptor` on top of `parent`. The same arguments give the same id.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`] if an earlier descriptor gave the blob another size, [`AddError::ForeignParent`] if the
    /// parent belongs to other chains.
    pub fn layer(&mut self, parent: Option<LayerId>, descriptor: &Descriptor) -> Result<LayerId, AddError> {
        let digest = descriptor.digest;
        if parent.is_some_and(|parent| !self.has_layer(parent)) {
            return Err(AddError::ForeignParent { digest });
        }
        if self.layers.layers_len() >= CAPACITY {
            return Err(AddError::Full);
        }
        let layer = self.intern_layer(parent.map(|parent| parent.layer), descriptor)?;
        Ok(LayerId { tag: self.tag, layer })
    }

    pub(crate) fn intern_layer(
        &mut self,
        parent: Option<LayerIx>,
        descriptor: &Descriptor,
    ) -> Result<LayerIx, AddError> {
        self.layers.layer(parent, descriptor).map_err(|conflict| size_conflict(descriptor.digest, conflict))
    }

    /// The topmost layer of a list of descriptors, lowest first; `None` for the empty list.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`], as [`layer`](Self::layer).
    pub fn layers<'d>(
        &mut self,
        descriptors: impl IntoIterator<Item = &'d Descriptor>,
    ) -> Result<Option<LayerId>, AddError> {
        let mut top = None;
        for descriptor in descriptors {
            top = Some(self.layer(top, descriptor)?);
        }
        Ok(top)
    }

    /// Adds a record: its digest, its inputs and its results. Each input is a list of links to alternative source
    /// records. Gives `None` for a `random:` digest, which BuildKit does not cache.
    ///
    /// The digest is [`RecordDigest::of_output`] of the build step's digest. A solver asks for that digest, so it never
    /// finds a record under the bare digest of a step.
    ///
    /// Several adds can be one record of the [`graph`](Self::graph): see [`Rule`].
    ///
    /// # Errors
    /// [`AddError::EmptyInput`], and [`AddError::Foreign`] if a source or a result's layer belongs to other chains.
    pub fn add(
        &mut self,
        digest: &RecordDigest,
        inputs: &[&[Link<'_>]],
        results: &[NewResult],
    ) -> Result<Option<RecordId>, AddError> {
        if digest.is_random() {
            return Ok(None);
        }
        if let Some(input) = inputs.iter().position(|links| links.is_empty()) {
            return Err(AddError::EmptyInput { digest: digest.clone(), input });
        }
        let mut sources = inputs.iter().flat_map(|links| links.iter()).map(|link| link.source);
        let mut layers = results.iter().filter_map(|result| result.layer);
        if sources.any(|source| !self.has_record(source)) || layers.any(|layer| !self.has_layer(layer)) {
            return Err(AddError::Foreign { digest: digest.clone() });
        }
        let links = inputs.iter().map(|links| links.len()).sum::<usize>();
        self.log.check_room(1, inputs.len(), links, results.len())?;

        for links in inputs {
            for link in *links {
                let selector = self.selector(link.selector);
                self.log.inputs.push(LogLink { source: link.source.op, selector });
            }
            self.log.inputs.end_input();
        }
        for result in results {
            let layer = result.layer.map(|layer| layer.layer);
            self.log.results.push(LogResult { created_at: result.created_at, layer });
        }
        let digest = self.digests.intern(digest, RecordDigest::clone).0;
        Ok(Some(RecordId { tag: self.tag, op: self.log.end_op(digest) }))
    }

    fn selector(&mut self, text: &str) -> SelectorIx {
        if text.is_empty() { SelectorIx::new(0) } else { self.selectors.intern(text, |text| text.into()).0 }
    }

    /// The rule by which [`graph`](Self::graph) reads the chains: BuildKit's, unless it was set or chains were united.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Sets the rule by which [`graph`](Self::graph) reads the chains.
    ///
    /// After [`unite`](Self::unite) keep [`Rule::Closed`]: by BuildKit's rule the graph of united caches depends on the order
    /// in which they were united, and one cache may hide records of another.
    pub fn set_rule(&mut self, rule: Rule) {
        self.rule = rule;
    }

    /// Appends all adds of `other`, and sets the rule to [`Rule::Closed`], so that the graph of united caches does not
    /// depend on the order in which they are united.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`] if the two give one blob different sizes, [`AddError::Full`] if there is no room. Then
    /// the chains are unchanged.
    pub fn unite(&mut self, other: &Self) -> Result<(), AddError> {
        let log = &other.log;
        self.log.check_room(
            log.len(),
            log.inputs.rows().len(),
            log.inputs.rows().items_len(),
            log.results.items_len(),
        )?;
        if self.layers.layers_len() + other.layers.layers_len() >= CAPACITY {
            return Err(AddError::Full);
        }
        if let Some((digest, conflict)) = self.layers.first_conflict(&other.layers) {
            return Err(size_conflict(digest, conflict));
        }
        let before = self.log.len();
        let layers = self.unite_layers(other)?;
        let digests: IndexVec<DigestIx, DigestIx> = IndexVec::from_vec(
            other.digests.values().iter().map(|d| self.digests.intern(d, RecordDigest::clone).0).collect(),
        );
        let selectors: IndexVec<SelectorIx, SelectorIx> =
            IndexVec::from_vec(other.selectors.values().iter().map(|s| self.selector(s)).collect());
        for op in log.digests.indices() {
            for links in log.inputs.of(op) {
                for link in links {
                    let source = OpIx::new(before + link.source.position());
                    self.log.inputs.push(LogLink { source, selector: selectors[link.selector] });
                }
                self.log.inputs.end_input();
            }
            for result in log.results.row(op) {
                let layer = result.layer.map(|layer| layers[layer]);
                self.log.results.push(LogResult { layer, ..*result });
            }
            self.log.end_op(digests[log.digests[op]]);
        }
        self.rule = Rule::Closed;
        Ok(())
    }

    fn unite_layers(&mut self, other: &Self) -> Result<IndexVec<LayerIx, LayerIx>, AddError> {
        let mut ours: IndexVec<LayerIx, LayerIx> = IndexVec::new();
        // A layer is interned after its parent, so the parent's place is known.
        for layer in other.layers.layer_indices() {
            let parent = other.layers.layer_parent(layer).map(|parent| ours[parent]);
            let known = self.intern_layer(parent, other.layers.layer_descriptor(layer))?;
            ours.push(known);
        }
        Ok(ours)
    }

    /// A descriptor of each distinct blob of the results: the blobs to look up in the store before marshalling.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let mut blobs =
            self.layers.descriptors_of(self.log.results.items().filter_map(|result| result.layer));
        blobs.sort_by_key(|descriptor| descriptor.digest);
        blobs.dedup_by_key(|descriptor| descriptor.digest);
        blobs.into_iter()
    }

    /// How many records were added. Several adds can be one record of the [`graph`](Self::graph).
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.log.len() == 0
    }

    pub(crate) fn id_of(&self, op: OpIx) -> RecordId {
        RecordId { tag: self.tag, op }
    }

    pub(crate) fn op_of(&self, record: RecordId) -> Option<OpIx> {
        self.has_record(record).then_some(record.op)
    }

    /// Whether an id belongs to these chains. Clones have the same tag and grow apart, so the position is checked too.
    fn has_record(&self, record: RecordId) -> bool {
        record.tag == self.tag && record.op.position() < self.log.len()
    }

    fn has_layer(&self, layer: LayerId) -> bool {
        layer.tag == self.tag && layer.layer.position() < self.layers.layers_len()
    }
}

fn size_conflict(digest: Digest, SizeConflict { known, given }: SizeConflict) -> AddError {
    AddError::SizeConflict { digest, known, given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_four_billion_each_of_adds_inputs_links_and_results() {
        let mut chains = CacheChains::new();
        let source = chains.add(&"r".into(), &[], &[]).unwrap().unwrap();
        let result = NewResult { created_at: Timestamp::ZERO, layer: None };
        chains.add(&"x".into(), &[&[Link { source, selector: "" }]], &[result]).unwrap();
        for (counted, have) in [2, 1, 1, 1].into_iter().enumerate() {
            let has_room = |more: usize| {
                let mut added = [0; 4];
                added[counted] = more;
                let [ops, inputs, links, results] = added;
                chains.log.check_room(ops, inputs, links, results).is_ok()
            };
            assert!(has_room(4_000_000_000) && has_room(CAPACITY - 1 - have));
            assert!(!has_room(CAPACITY - have) && !has_room(usize::MAX));
        }
    }
}
