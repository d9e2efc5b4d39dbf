//! The log of added records, in order.
//!
//! It never merges or drops anything.

use std::cmp::Ordering;

use crate::arena::index::{DigestIx, IndexVec, Inputs, LayerIx, OpIx, Rows, SelectorIx, StackIx};
use crate::chains::layers::Layers;
use crate::{Digest, RecordDigest, Timestamp};

/// The most adds, inputs, links, results or layers that chains can hold; a little below the range of an index.
pub(crate) const CAPACITY: usize = (u32::MAX - 64) as usize;

/// All adds, in order.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) digests: IndexVec<OpIx, DigestIx>,
    pub(crate) inputs: Inputs<OpIx, LogLink>,
    pub(crate) results: Rows<OpIx, LogResult>,
}

/// A link of the log: to an earlier add.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogLink {
    pub(crate) source: OpIx,
    pub(crate) selector: SelectorIx,
}

/// A result of the log. `layer` is the topmost layer; `None` for a result without layers.
#[derive(Clone, Copy)]
pub(crate) struct LogResult {
    pub(crate) created_at: Timestamp,
    pub(crate) layer: Option<LayerIx>,
}

impl LogResult {
    /// Its stack of layers.
    pub(crate) fn stack(&self, layers: &Layers) -> Option<StackIx> {
        self.layer.map(|layer| layers.layer_stack(layer))
    }
}

/// Why a record, a layer or other chains cannot be added. The chains are unchanged then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// An input has no links, so that no build can match it.
    #[error("empty dependency for {}: input {input} has no links", digest.excerpt())]
    EmptyInput {
        /// The digest of the record.
        digest: RecordDigest,
        /// The position of the input, from 0.
        input: usize,
    },
    /// The record refers to a record or layer of other chains.
    #[error("record {} refers to a record or layer of other chains", digest.excerpt())]
    Foreign {
        /// The digest of the record.
        digest: RecordDigest,
    },
    /// The parent layer belongs to other chains.
    #[error("layer {digest} is put on a layer of other chains")]
    ForeignParent {
        /// The digest of the layer's blob.
        digest: Digest,
    },
    /// Two descriptors give one blob different sizes, so one of them is false.
    #[error("blob {digest} is said to have {known} bytes and {given} bytes")]
    SizeConflict {
        /// The digest of the blob.
        digest: Digest,
        /// The size given first, in bytes.
        known: u64,
        /// The size given now, in bytes.
        given: u64,
    },
    /// More than 4 billion records, links or layers.
    #[error("the cache has too many records")]
    Full,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { digests: IndexVec::new(), inputs: Inputs::with_capacity(0, 0, 0), results: Rows::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }

    pub(crate) fn check_room(
        &self,
        ops: usize,
        inputs: usize,
        links: usize,
        results: usize,
    ) -> Result<(), AddError> {
        let fits = |have: usize, more: usize| have.saturating_add(more) < CAPACITY;
        let all_fit = fits(self.len(), ops)
            && fits(self.inputs.rows().len(), inputs)
            && fits(self.inputs.rows().items_len(), links)
            && fits(self.results.items_len(), results);
        if all_fit { Ok(()) } else { Err(AddError::Full) }
    }

    /// Ends an add, which has the inputs and results that were pushed since the add before it.
    pub(crate) fn end_op(&mut self, digest: DigestIx) -> OpIx {
        self.results.end_row();
        self.inputs.end_key();
        self.digests.push(digest)
    }
}

/// Orders results by time, older first; at the same instant by their lists of blob digests.
pub(crate) fn cmp_results(layers: &Layers, a: &LogResult, b: &LogResult) -> Ordering {
    a.created_at.cmp(&b.created_at).then_with(|| match (a.stack(layers), b.stack(layers)) {
        (Some(a), Some(b)) => layers.cmp_stacks(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    })
}
