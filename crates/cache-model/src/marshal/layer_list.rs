//! The list of layers of a config: layers are numbered in the order of the results that use them, then sorted.

use crate::arena::index::{BlobIx, ChainIx, DescriptorIx, IndexVec, LayerIx};
use crate::chains::layers::Layers;
use crate::marshal::rank::{TextOrder, blob_prefix};
use crate::{ConfigLayer, Descriptor, Dialect};

/// The layers of the results that are exported, numbered as they come.
pub(crate) struct Export<'a> {
    layers: &'a Layers,
    number_of: IndexVec<ChainIx, Option<u32>>,
    chains: Vec<ChainIx>,
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
            number_of: IndexVec::filled(None, layers.chains_len()),
            chains: Vec::new(),
            chosen: IndexVec::filled(None, layers.blobs_len()),
            blobs: 0,
            seen: IndexVec::filled(false, layers.layers_len()),
        }
    }

    /// The number of a layer; it and those below it get one, from the lowest up, if they have none.
    pub(crate) fn number(&mut self, top: LayerIx) -> u32 {
        for layer in self.layers.downwards(top) {
            if std::mem::replace(&mut self.seen[layer], true) {
                break;
            }
            self.note(self.layers.descriptor_of(layer));
        }
        let top = self.layers.layer_chain(top);
        let first_new = self.chains.len();
        let mut at = Some(top);
        while let Some(chain) = at.filter(|chain| self.number_of[*chain].is_none()) {
            self.chains.push(chain);
            at = self.layers.chain_parent(chain);
        }
        let new = self.chains.get_mut(first_new..).unwrap_or_default();
        new.reverse();
        for (number, chain) in (first_new..).zip(new.iter()) {
            self.number_of[*chain] = u32::try_from(number).ok();
        }
        self.number_of[top].unwrap_or(u32::MAX)
    }

    /// Of several descriptors for one blob the one with the smallest text is exported.
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

    /// Sorts the layers by blob and the number that the parent had, and renumbers them.
    pub(crate) fn finish(self) -> ExportedLayers {
        let by_text = TextOrder::new(self.layers.blobs(), blob_prefix);
        let number = |chain: ChainIx| self.number_of[chain].and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let mut sorted: Vec<(u32, i32, u32, ChainIx)> = (0u32..)
            .zip(&self.chains)
            .map(|(old, chain)| {
                let parent = self.layers.chain_parent(*chain).map_or(-1, number);
                (by_text.rank(self.layers.chain_blob(*chain)), parent, old, *chain)
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
        for (rank, parent, _, chain) in &sorted {
            let blob = self.layers.chain_blob(*chain);
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
