//! Cache chains: what was added, in order, with everything that repeats interned.
//!
//! The chains are a log. What the log means (which adds are one record, which links fall away) is decided when a
//! [`Graph`] is read from it: by BuildKit's rule, or closed. So neither reading costs the other anything, and nothing
//! that one of them drops is lost to the other.

pub(crate) mod layers;
pub(crate) mod load;
pub(crate) mod log;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::arena::index::{DigestIx, Idx, IndexVec, LayerIx, OpIx, SelectorIx};
use crate::arena::intern::Interner;
use crate::{Descriptor, RecordDigest, Timestamp};
use layers::{Layers, LayersMark, SizeConflict};
use log::{AddError, CAPACITY, Log, LogLink, LogResult};

/// The records of a cache, as they were added.
///
/// ```
/// use cache_model::{CacheChains, Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, Timestamp};
///
/// let mut chains = CacheChains::new();
/// let gzip = MediaType::new("application/vnd.oci.image.layer.v1.tar+gzip");
/// let layer = chains.layer(None, &Descriptor::new(gzip, Digest::sha256([7; 32]), 1024))?;
/// let result = NewResult { created_at: Timestamp::ZERO, layer: Some(layer) };
///
/// let base = chains.add(&RecordDigest::new("sha256:base"), &[], &[])?.expect("not a random: digest");
/// let link = Link { source: base, selector: "/src" };
/// chains.add(&RecordDigest::new("sha256:copy"), &[&[link]], &[result])?;
///
/// let marshalled = chains.marshal(&|_| true);
/// assert_eq!(marshalled.config.layers().len(), 1);
/// assert_eq!(marshalled.config.records_len(), 2);
/// # Ok::<(), cache_model::AddError>(())
/// ```
#[derive(Clone)]
pub struct CacheChains {
    tag: u32,
    pub(crate) digests: Interner<DigestIx, RecordDigest>,
    pub(crate) selectors: Interner<SelectorIx, Box<str>>,
    pub(crate) layers: Layers,
    pub(crate) log: Log,
}

/// How much there was at a time, to go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    ops: usize,
    digests: usize,
    selectors: usize,
    layers: LayersMark,
}

/// A record of some chains. Stays valid when records are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    tag: u32,
    op: OpIx,
}

/// A layer of some chains, with all layers below it.
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
    /// Which part of it counts; empty for the whole.
    pub selector: &'a str,
}

/// A result that a record gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// When it was made.
    pub created_at: Timestamp,
    /// Its topmost layer; `None` for a result without layers.
    pub layer: Option<LayerId>,
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
            digests: Interner::new(),
            selectors,
            layers: Layers::new(),
            log: Log::new(),
        }
    }

    /// The layer of `descriptor` on top of `parent`; the same one each time it is asked for.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`] when the blob is known with another size, [`AddError::ForeignParent`] when the
    /// parent is of other chains.
    pub fn layer(&mut self, parent: Option<LayerId>, descriptor: &Descriptor) -> Result<LayerId, AddError> {
        let digest = descriptor.digest;
        if parent.is_some_and(|parent| parent.tag != self.tag) {
            return Err(AddError::ForeignParent { digest });
        }
        if self.layers.chains_len() >= CAPACITY {
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
        self.layers.layer(parent, descriptor).map_err(|SizeConflict { known, given }| {
            AddError::SizeConflict { digest: descriptor.digest, known, given }
        })
    }

    /// The topmost layer of a list of descriptors, lowest first; `None` for the empty list.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`], as [`layer`](Self::layer) has it.
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

    /// Adds a record: its digest, for each input the links to the alternative records that it depends on, and its
    /// results. Gives `None` for a `random:` digest, which BuildKit does not cache.
    ///
    /// The record of a build step's output stands under [`RecordDigest::of_output`] of the step's digest. A solver asks
    /// for that digest, so a record under the bare digest of a step is never found.
    ///
    /// Which adds are one record is decided when the chains are read: see [`graph`](Self::graph) and
    /// [`close`](Self::close).
    ///
    /// # Errors
    /// [`AddError::EmptyInput`], and [`AddError::Foreign`] where a source or a result's layer is of other chains.
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
        let sources = inputs.iter().flat_map(|links| links.iter()).map(|link| link.source.tag);
        let layers = results.iter().filter_map(|result| result.layer).map(|layer| layer.tag);
        if sources.chain(layers).any(|tag| tag != self.tag) {
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

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            ops: self.log.len(),
            digests: self.digests.len(),
            selectors: self.selectors.len(),
            layers: self.layers.mark(),
        }
    }

    /// Forgets all that came after the mark.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        self.log.truncate(mark.ops);
        self.digests.truncate(mark.digests);
        self.selectors.truncate(mark.selectors);
        self.layers.roll_back(mark.layers);
    }

    fn selector(&mut self, text: &str) -> SelectorIx {
        if text.is_empty() { SelectorIx::new(0) } else { self.selectors.intern(text, |text| text.into()).0 }
    }

    /// Adds everything that was added to `other`, after what is here. To merge caches, unite and then
    /// [`close`](Self::close): then the order in which they are united does not matter.
    ///
    /// # Errors
    /// [`AddError::SizeConflict`] when the two give one blob different sizes; the chains are then as they were.
    pub fn unite(&mut self, other: &Self) -> Result<(), AddError> {
        let log = &other.log;
        self.log.check_room(
            log.len(),
            log.inputs.rows().len(),
            log.inputs.rows().items_len(),
            log.results.items_len(),
        )?;
        let mark = self.mark();
        let layers = match self.unite_layers(other) {
            Ok(layers) => layers,
            Err(error) => {
                self.roll_back(mark);
                return Err(error);
            }
        };
        let digests: IndexVec<DigestIx, DigestIx> = IndexVec::from_vec(
            other.digests.values().iter().map(|d| self.digests.intern(d, RecordDigest::clone).0).collect(),
        );
        let selectors: IndexVec<SelectorIx, SelectorIx> =
            IndexVec::from_vec(other.selectors.values().iter().map(|s| self.selector(s)).collect());
        for op in log.digests.indices() {
            for links in log.inputs.of(op) {
                for link in links {
                    let source = OpIx::new(mark.ops + link.source.position());
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

    /// A descriptor of each distinct blob of the results: what to ask the store for before marshalling.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let mut blobs =
            self.layers.descriptors_of(self.log.results.items().filter_map(|result| result.layer));
        blobs.sort_by_key(|descriptor| descriptor.digest);
        blobs.dedup_by_key(|descriptor| descriptor.digest);
        blobs.into_iter()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.log.len() == 0
    }

    pub(crate) fn op_of(&self, record: RecordId) -> Option<OpIx> {
        (record.tag == self.tag).then_some(record.op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_adds_inputs_links_and_results_each_has_room_for_four_billion() {
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
