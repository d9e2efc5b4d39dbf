//! The layers of a config: numbered as the results that have them come, then sorted.

use crate::index::{BlobIx, ChainIx, DescriptorIx, IndexVec, LayerIx};
use crate::layers::Layers;
use crate::rank::{blob_prefix, ranks};
use crate::{ConfigLayer, Descriptor, Dialect};

/// The layers of the results that are exported, numbered as they come.
pub(crate) struct Export<'a> {
    layers: &'a Layers,
    number_of: IndexVec<ChainIx, Option<u32>>,
    chains: Vec<ChainIx>,
    /// The descriptor of each exported blob.
    chosen: IndexVec<BlobIx, Option<DescriptorIx>>,
    blobs: Vec<BlobIx>,
    seen: IndexVec<LayerIx, bool>,
}

impl<'a> Export<'a> {
    pub(crate) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            number_of: IndexVec::filled(None, layers.chains_len()),
            chains: Vec::new(),
            chosen: IndexVec::filled(None, layers.blobs_len()),
            blobs: Vec::new(),
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
                self.blobs.push(blob);
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

    /// The layers, sorted by blob and the number that the parent had; and the new number of each old one.
    pub(crate) fn sort_layers(&self) -> (Vec<ConfigLayer>, Vec<i32>) {
        let blob_ranks = ranks(self.layers.blobs(), blob_prefix);
        let number = |chain: ChainIx| self.number_of[chain].and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let mut sorted: Vec<(u32, i32, i32)> = (0i32..)
            .zip(&self.chains)
            .map(|(old, chain)| {
                let parent = self.layers.chain_parent(*chain).map_or(-1, number);
                (blob_ranks[self.layers.chain_blob(*chain)], parent, old)
            })
            .collect();
        sorted.sort_unstable();
        let mut renumbered = vec![-1; sorted.len()];
        for (new, (.., old)) in (0i32..).zip(&sorted) {
            if let Some(slot) = usize::try_from(*old).ok().and_then(|old| renumbered.get_mut(old)) {
                *slot = new;
            }
        }
        let new_number = |old: i32| usize::try_from(old).ok().and_then(|old| renumbered.get(old)).copied();
        let layers = sorted
            .iter()
            .filter_map(|(_, parent, old)| {
                let chain = self.chains.get(usize::try_from(*old).ok()?)?;
                let blob = Some(*self.layers.digest(self.layers.chain_blob(*chain)));
                Some(ConfigLayer { blob, parent: new_number(*parent).unwrap_or(-1), annotations: None })
            })
            .collect();
        (layers, renumbered)
    }

    /// The descriptor of each exported blob, with OCI media types, sorted by digest.
    pub(crate) fn descriptors(&self) -> Vec<Descriptor> {
        let mut descriptors: Vec<Descriptor> = self
            .blobs
            .iter()
            .filter_map(|blob| self.chosen[*blob])
            .map(|index| self.layers.descriptor(index).in_dialect(Dialect::Oci))
            .collect();
        descriptors.sort_unstable_by_key(|descriptor| descriptor.digest);
        descriptors
    }
}
