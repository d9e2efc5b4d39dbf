//! The graph that is read from a log: records, each after the records that it depends on.
//!
//! Read-only. Every record has at least one link in each of its inputs, and there are no cycles.

pub(crate) mod budget;
mod buildkit;
mod closed;
mod cycles;
pub(crate) mod draft;
mod order;
mod read;
mod records;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::arena::index::{DigestIx, Idx, IndexVec, Inputs, LayerIx, OpIx, RecordIx, Rows, SelectorIx};
use crate::chains::layers::{Layers, compression_bit};
use crate::chains::log::{LogResult, cmp_results};
use crate::chains::{CacheChains, RecordId};
use crate::{Compression, Descriptor, RecordDigest, Timestamp};

/// A graph of records, read from [`CacheChains`].
///
/// A `Graph<'static>` owns its chains: see [`Graph::shared`].
#[derive(Clone)]
pub struct Graph<'a> {
    pub(crate) chains: ChainsRef<'a>,
    pub(crate) digests: IndexVec<RecordIx, DigestIx>,
    pub(crate) inputs: Inputs<RecordIx, GraphLink>,
    pub(crate) results: Rows<RecordIx, LogResult>,
    record_of_op: IndexVec<OpIx, Option<RecordIx>>,
    /// The first add of each record.
    first_adds: IndexVec<RecordIx, OpIx>,
    pub(crate) left_out: Vec<DigestIx>,
    reading_steps: u64,
}

/// The chains of a graph.
#[derive(Clone)]
pub(crate) enum ChainsRef<'a> {
    Borrowed(&'a CacheChains),
    Shared(Arc<CacheChains>),
}

impl Deref for ChainsRef<'_> {
    type Target = CacheChains;

    fn deref(&self) -> &CacheChains {
        match self {
            Self::Borrowed(chains) => chains,
            Self::Shared(chains) => chains,
        }
    }
}

/// A link to a record that comes earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GraphLink {
    pub(crate) source: RecordIx,
    pub(crate) selector: SelectorIx,
}

/// A record of a [`Graph`].
#[derive(Clone, Copy)]
pub struct RecordRef<'g> {
    graph: &'g Graph<'g>,
    record: RecordIx,
}

/// A link of a record of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkRef<'g> {
    /// The part of the source that counts; empty for all of it.
    pub selector: &'g str,
    /// The record that the input depends on.
    pub source: RecordRef<'g>,
}

/// A result of a record of a [`Graph`].
#[derive(Clone, Copy)]
pub struct ResultRef<'g> {
    layers: &'g Layers,
    result: &'g LogResult,
}

/// A layer of a result: a descriptor on top of a parent layer. Results share the layers that they have in common.
#[derive(Clone, Copy)]
pub struct LayerRef<'g> {
    layers: &'g Layers,
    layer: LayerIx,
}

impl CacheChains {
    /// All layers, each after the layer below it and at its [`position`](LayerRef::position).
    pub fn all_layers(&self) -> impl Iterator<Item = LayerRef<'_>> {
        let layers = &self.layers;
        layers.layer_indices().map(move |layer| LayerRef { layers, layer })
    }
}

impl Graph<'_> {
    /// The chains that the graph was read from.
    pub fn chains(&self) -> &CacheChains {
        &self.chains
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distinct descriptors of the layers of all results. A blob appears once for each of its descriptors.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let tops = self.results.items().filter_map(|result| result.layer);
        self.chains.layers.descriptors_of(tops).into_iter()
    }

    /// How many links there are.
    pub fn links_len(&self) -> usize {
        self.inputs.rows().items_len()
    }

    /// The work of comparing records while the graph was read, in the steps of [`ReadError::TooTangled`]. For the limits of
    /// code that reads many graphs.
    ///
    /// [`ReadError::TooTangled`]: crate::ReadError::TooTangled
    pub fn reading_steps(&self) -> u64 {
        self.reading_steps
    }

    /// The records, each after the records that it depends on.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = RecordRef<'_>> + ExactSizeIterator {
        self.digests.indices().map(|record| RecordRef { graph: self, record })
    }

    /// The record at a position of [`records`](Self::records).
    pub fn at(&self, position: usize) -> Option<RecordRef<'_>> {
        (position < self.len()).then(|| RecordRef { graph: self, record: RecordIx::new(position) })
    }

    /// The record that an added record is part of; `None` if the id belongs to other chains or the record was left out.
    pub fn record(&self, id: RecordId) -> Option<RecordRef<'_>> {
        let record = (*self.record_of_op.lookup(self.chains.op_of(id)?)?)?;
        Some(RecordRef { graph: self, record })
    }

    /// The digests of the records that were left out because one of their inputs has no links: all of its links closed
    /// cycles or led to records that were left out.
    pub fn left_out(&self) -> impl ExactSizeIterator<Item = &RecordDigest> {
        self.left_out.iter().map(|digest| self.chains.digests.value(*digest))
    }

    /// The records with a digest, in the order of [`records`](Self::records). Looks at every record; for many lookups
    /// use the index `CacheKeys` of cache-keys.
    pub fn with_digest(&self, digest: &RecordDigest) -> impl Iterator<Item = RecordRef<'_>> + use<'_> {
        let digest = self.chains.digests.find(digest);
        let records = self.digests.iter_indexed().filter(move |(_, known)| Some(**known) == digest);
        records.map(|(record, _)| RecordRef { graph: self, record })
    }

    /// The first add of a record.
    pub(crate) fn first_add(&self, record: RecordIx) -> OpIx {
        self.first_adds[record]
    }
}

impl<'g> RecordRef<'g> {
    /// The id of the record in the [`chains`](Graph::chains) of its graph and in their clones. New records link to it.
    ///
    /// ```
    /// use cache_model::{CacheChains, Graph, Link, RecordDigest};
    /// # let mut built = CacheChains::new();
    /// # built.add(&RecordDigest::of_output("sha256:base", 0), &[], &[])?;
    /// # let exported = built.marshal(&|_| true)?;
    /// // Look up a record in an imported cache.
    /// let imported = CacheChains::from_config(&exported.config, exported.layer_descriptors())?.chains;
    /// let graph = imported.graph()?;
    /// let base = graph.with_digest(&RecordDigest::of_output("sha256:base", 0)).next().expect("the base");
    ///
    /// // Add more records to a copy.
    /// let mut extended = imported.clone();
    /// extended.add(&RecordDigest::of_output("sha256:next", 0), &[&[Link::new(base.id(), "")]], &[])?;
    /// assert_eq!(extended.graph()?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn id(self) -> RecordId {
        self.graph.chains.id_of(self.graph.first_add(self.record))
    }

    /// The position of the record in [`Graph::records`].
    pub fn position(self) -> usize {
        self.record.position()
    }

    /// The digest of its cache key.
    pub fn digest(self) -> &'g RecordDigest {
        self.graph.chains.digests.value(self.graph.digests[self.record])
    }

    /// How many inputs it has; a root has none.
    pub fn inputs_len(self) -> usize {
        self.graph.inputs.count(self.record)
    }

    /// Its inputs, each a list of links to alternative source records.
    pub fn inputs(
        self,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = LinkRef<'g>> + use<'g>> + use<'g> {
        let graph = self.graph;
        graph.inputs.of(self.record).map(move |row| {
            row.iter().map(move |link| LinkRef {
                selector: graph.chains.selectors.value(link.selector),
                source: RecordRef { graph, record: link.source },
            })
        })
    }

    /// Its results, newest first. Results with the same instant and the same list of blobs are one.
    pub fn results(self) -> impl Iterator<Item = ResultRef<'g>> {
        let layers = &self.graph.chains.layers;
        let same = |a: &LogResult, b: &LogResult| cmp_results(layers, a, b).is_eq();
        // Equal results are adjacent, and the first of them is kept.
        let groups = self.graph.results.row(self.record).chunk_by(same);
        groups.filter_map(move |group| group.first()).map(move |result| ResultRef { layers, result })
    }

    /// The newest of its results that have layers. A result without layers serves no build.
    pub fn newest_result(self) -> Option<ResultRef<'g>> {
        self.results().find(|result| result.top().is_some())
    }
}

impl<'g> ResultRef<'g> {
    /// Orders results by time, older first; at the same instant by their lists of blob digests, lowest layer first. Takes
    /// logarithmic time in the number of layers if both belong to the same chains.
    pub fn cmp_by_age(self, other: Self) -> Ordering {
        if std::ptr::eq(self.layers, other.layers) {
            return cmp_results(self.layers, self.result, other.result);
        }
        let blobs = |result: Self| result.layers().into_iter().map(|layer| layer.digest);
        self.created_at().cmp(&other.created_at()).then_with(|| blobs(self).cmp(blobs(other)))
    }

    /// Its creation time.
    pub fn created_at(self) -> Timestamp {
        self.result.created_at
    }

    /// How many layers it has.
    pub fn layers_len(self) -> usize {
        self.result.stack(self.layers).map_or(0, |stack| self.layers.depth(stack) as usize)
    }

    /// The size in bytes of all its layers together; takes constant time.
    pub fn size(self) -> u64 {
        self.result.layer.map_or(0, |layer| self.layers.total(layer))
    }

    /// Whether at least one of its layers has this compression; takes constant time.
    pub fn has_compression(self, compression: Compression) -> bool {
        self.compressions() & compression_bit(Some(compression)) != 0
    }

    /// Whether it has layers and all of them have this compression; takes constant time.
    pub fn has_only_compression(self, compression: Compression) -> bool {
        self.compressions() == compression_bit(Some(compression))
    }

    fn compressions(self) -> u8 {
        self.result.layer.map_or(0, |layer| self.layers.compressions(layer))
    }

    /// Its topmost layer.
    pub fn top(self) -> Option<LayerRef<'g>> {
        self.result.layer.map(|layer| LayerRef { layers: self.layers, layer })
    }

    /// Its layers, topmost first.
    pub fn layers_downwards(self) -> impl Iterator<Item = &'g Descriptor> {
        let layers = self.layers;
        let top = self.result.layer.into_iter();
        top.flat_map(move |top| layers.downwards(top)).map(move |layer| layers.layer_descriptor(layer))
    }

    /// Its layers, lowest first.
    pub fn layers(self) -> Vec<&'g Descriptor> {
        let mut list: Vec<_> = self.layers_downwards().collect();
        list.reverse();
        list
    }
}

impl<'g> LayerRef<'g> {
    /// The position of the layer in its chains; no other layer of the same chains has it.
    pub fn position(self) -> usize {
        self.layer.position()
    }

    /// The position of its blob among the blobs of its chains: layers of one blob have the same.
    pub fn blob_position(self) -> usize {
        self.layers.descriptor_blob(self.layers.descriptor_of(self.layer)).position()
    }

    /// The descriptor of its blob.
    pub fn descriptor(self) -> &'g Descriptor {
        self.layers.layer_descriptor(self.layer)
    }

    /// The layer below it.
    pub fn parent(self) -> Option<Self> {
        let layer = self.layers.layer_parent(self.layer)?;
        Some(Self { layers: self.layers, layer })
    }
}

impl PartialEq for RecordRef<'_> {
    /// Whether it is the same record of the same graph.
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && std::ptr::eq(self.graph, other.graph)
    }
}

impl Eq for RecordRef<'_> {}

impl Hash for RecordRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.record, std::ptr::from_ref(self.graph)).hash(state);
    }
}

impl PartialEq for ResultRef<'_> {
    /// Whether it has the same instant and the same list of blobs.
    fn eq(&self, other: &Self) -> bool {
        self.cmp_by_age(*other).is_eq()
    }
}

impl Eq for ResultRef<'_> {}

impl Hash for ResultRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.created_at(), self.layers_len()).hash(state);
    }
}

impl std::fmt::Debug for ResultRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let blobs: Vec<_> = self.layers().into_iter().map(|layer| layer.digest).collect();
        write!(f, "{} {blobs:?}", self.created_at())
    }
}

impl PartialEq for LayerRef<'_> {
    /// Whether it is the same layer of the same chains.
    fn eq(&self, other: &Self) -> bool {
        self.layer == other.layer && std::ptr::eq(self.layers, other.layers)
    }
}

impl Eq for LayerRef<'_> {}

impl Hash for LayerRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.layer, std::ptr::from_ref(self.layers)).hash(state);
    }
}

impl std::fmt::Debug for LayerRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.position(), self.descriptor().digest)
    }
}

impl std::fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.position(), self.digest())
    }
}

impl std::fmt::Debug for Graph<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.records()).finish()
    }
}
