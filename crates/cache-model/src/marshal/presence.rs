//! Chooses each record's newest complete result.
//!
//! Each blob is looked up at most once, and only if a choice depends on it.

use crate::Digest;
use crate::arena::index::{BlobIx, IndexVec, StackIx};
use crate::chains::layers::Layers;
use crate::chains::log::LogResult;

/// Finds out which stacks of layers are complete: each blob is looked up once.
pub(crate) struct Presence<'a> {
    layers: &'a Layers,
    present: &'a dyn Fn(&Digest) -> bool,
    blobs: IndexVec<BlobIx, Option<bool>>,
    /// The lowest absent blob of each stack that was checked; `Some(None)` for a complete stack.
    stacks: IndexVec<StackIx, Option<Option<BlobIx>>>,
    path: Vec<StackIx>,
}

impl<'a> Presence<'a> {
    pub(crate) fn new(layers: &'a Layers, present: &'a dyn Fn(&Digest) -> bool) -> Self {
        let blobs = IndexVec::filled(None, layers.blobs_len());
        let stacks = IndexVec::filled(None, layers.stacks_len());
        Self { layers, present, blobs, stacks, path: Vec::new() }
    }

    /// The lowest absent blob of a stack; `None` for a complete stack.
    fn missing(&mut self, stack: StackIx) -> Option<BlobIx> {
        let mut at = Some(stack);
        let mut missing = None;
        while let Some(stack) = at {
            if let Some(known) = self.stacks[stack] {
                missing = known;
                break;
            }
            self.path.push(stack);
            at = self.layers.stack_parent(stack);
        }
        while let Some(stack) = self.path.pop() {
            let blob = self.layers.stack_blob(stack);
            if missing.is_none() && !self.is_present(blob) {
                missing = Some(blob);
            }
            self.stacks[stack] = Some(missing);
        }
        missing
    }

    fn is_present(&mut self, blob: BlobIx) -> bool {
        *self.blobs[blob].get_or_insert_with(|| (self.present)(self.layers.digest(blob)))
    }
}

/// The newest complete result of a record, as positions among the record's results: the first, and how many. There are
/// several if the result was added with different descriptors.
#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// The outcome of choosing among a record's results.
pub(crate) struct Choice {
    /// `None` for no result.
    pub(crate) newest: Option<Newest>,
    /// The newest incomplete result that is newer than the chosen one, and its lowest absent blob.
    pub(crate) passed_over: Option<(LogResult, BlobIx)>,
}

impl Presence<'_> {
    /// Chooses the newest result whose blobs are all present. `results` has the newest first. A result without layers ends
    /// the search: the record then has no result.
    pub(crate) fn choose(&mut self, results: &[LogResult]) -> Choice {
        let layers = self.layers;
        let mut passed_over = None;
        for (at, result) in results.iter().enumerate() {
            let Some(stack) = result.stack(layers) else { break };
            let Some(missing) = self.missing(stack) else {
                let is_same = |other: &&LogResult| {
                    other.created_at == result.created_at && other.stack(layers) == Some(stack)
                };
                let count = results.iter().skip(at).take_while(is_same).count();
                let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                return Choice {
                    newest: Some(Newest { first: index(at), count: index(count) }),
                    passed_over,
                };
            };
            passed_over.get_or_insert((*result, missing));
        }
        Choice { newest: None, passed_over }
    }
}
