//! The list of layers of a config.
//!
//! Layers are numbered in the order of the results that use them, then sorted and renumbered.

use crate::arena::index::{BlobIx, DescriptorIx, IndexVec, LayerIx, StackIx};
use crate::chains::layers::Layers;
use crate::marshal::rank::{TextOrder, blob_prefix};
use crate::{ConfigLayer, Descriptor, Dialect};

/// The layers of the exported results, numbered in the order of [`number`](Self::number).
pub(crate) struct Export<'a> {
    layers: &'a Layers,
    number_of: IndexVec<StackIx, Option<u32>>,
    stacks: Vec<StackIx>,
    /// The descriptor of each exported blob.
    chosen: IndexVec<BlobIx, Option<DescriptorIx>>,
    blobs: usize,
    seen: IndexVec<LayerIx, bool>,
}

/// The finished list.
pub(crate) struct ExportedLayers {
    pub(crate) layers: Vec<ConfigLayer>,
    /// The new number of each old one.
    pub(crate) renumbered: Vec<i32>,
    /// The descriptor of each distinct blob, with OCI media types, sorted by digest.
    pub(crate) descriptors: Vec<Descriptor>,
}

impl<'a> Export<'a> {
    pub(crate) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            number_of: IndexVec::filled(None, layers.stacks_len()),
            stacks: Vec::new(),
            chosen: IndexVec::filled(None, layers.blobs_len()),
            blobs: 0,
            seen: IndexVec::filled(false, layers.layers_len()),
        }
    }

    /// The number of a layer. If it has none yet, it and the layers below it get one, lowest first.
    pub(crate) fn number(&mut self, top: LayerIx) -> u32 {
        for layer in self.layers.downwards(top) {
            if std::mem::replace(&mut self.seen[layer], true) {
                break;
            }
            self.note(self.layers.descriptor_of(layer));
        }
        let top = self.layers.layer_stack(top);
        let first_new = self.stacks.len();
        let mut at = Some(top);
        while let Some(stack) = at.filter(|stack| self.number_of[*stack].is_none()) {
            self.stacks.push(stack);
            at = self.layers.stack_parent(stack);
        }
        let new = self.stacks.get_mut(first_new..).unwrap_or_default();
        new.reverse();
        for (number, stack) in (first_new..).zip(new.iter()) {
            self.number_of[*stack] = u32::try_from(number).ok();
        }
        self.number_of[top].unwrap_or(u32::MAX)
    }

    /// Chooses the descriptor of a blob for the export: of several the one with the smallest text.
    fn note(&mut self, descriptor: DescriptorIx) {
        let blob = self.layers.descriptor_blob(descriptor);
        match self.chosen[blob] {
            None => {
                self.blobs += 1;
                self.chosen[blob] = Some(descriptor);
            }
            Some(known) if known != descriptor => {
                let text = |index| self.layers.descriptor(index).in_dialect(Dialect::Oci);
                if text(descriptor).cmp_text(&text(known)).is_lt() {
                    self.chosen[blob] = Some(descriptor);
                }
            }
            Some(_) => {}
        }
    }

    /// Sorts the layers by blob, then by the old number of the parent, and renumbers them.
    pub(crate) fn finish(self) -> ExportedLayers {
        let by_text = TextOrder::new(self.layers.blobs(), blob_prefix);
        let number = |stack: StackIx| self.number_of[stack].and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let mut sorted: Vec<(u32, i32, u32, StackIx)> = (0u32..)
            .zip(&self.stacks)
            .map(|(old, stack)| {
                let parent = self.layers.stack_parent(*stack).map_or(-1, number);
                (by_text.rank(self.layers.stack_blob(*stack)), parent, old, *stack)
            })
            .collect();
        sorted.sort_unstable();
        let mut renumbered = vec![-1; sorted.len()];
        for (new, (.., old, _)) in (0i32..).zip(&sorted) {
            if let Some(slot) = renumbered.get_mut(*old as usize) {
                *slot = new;
            }
        }
        let new_number = |old: i32| usize::try_from(old).ok().and_then(|old| renumbered.get(old)).copied();
        let mut layers = Vec::with_capacity(sorted.len());
        let mut descriptors = Vec::with_capacity(self.blobs);
        let mut last = None;
        for (rank, parent, _, stack) in &sorted {
            let blob = self.layers.stack_blob(*stack);
            let digest = *self.layers.digest(blob);
            let parent = new_number(*parent).unwrap_or(-1);
            layers.push(ConfigLayer { blob: Some(digest), parent, annotations: None });
            if last.replace(*rank) != Some(*rank)
                && let Some(descriptor) = self.chosen[blob]
            {
                descriptors.push(self.layers.descriptor(descriptor).in_dialect(Dialect::Oci));
            }
        }
        ExportedLayers { layers, renumbered, descriptors }
    }
}
