//! Layers, interned as a trie the moment they come in.
//!
//! A *layer* is a descriptor on top of a parent layer; a *chain* is the same without the descriptors' details: a blob
//! on top of a parent chain. Two layers with one chain have the same list of blob digests. So memory follows the
//! number of distinct layers, not the sum of the lengths of all results.

use std::cmp::Ordering;

use crate::arena::index::{BlobIx, ChainIx, DescriptorIx, IndexVec, LayerIx};
use crate::arena::intern::Interner;
use crate::{Compression, Descriptor, Digest};

/// All layers of some chains.
#[derive(Clone)]
pub(crate) struct Layers {
    blobs: Interner<BlobIx, Digest>,
    first_descriptors: IndexVec<BlobIx, Option<DescriptorIx>>,
    descriptors: Interner<DescriptorIx, Descriptor>,
    descriptor_blobs: IndexVec<DescriptorIx, BlobIx>,
    chains: Interner<ChainIx, ChainKey>,
    places: IndexVec<ChainIx, Place>,
    layers: Interner<LayerIx, LayerKey>,
    layer_chains: IndexVec<LayerIx, ChainIx>,
    /// The size in bytes of each layer with all below it.
    totals: IndexVec<LayerIx, u64>,
    /// The [`compression_bit`]s of each layer and all below it.
    compressions: IndexVec<LayerIx, u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ChainKey {
    blob: BlobIx,
    parent: Option<ChainIx>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct LayerKey {
    descriptor: DescriptorIx,
    parent: Option<LayerIx>,
}

/// Where a chain stands in the trie. `jump` is an ancestor (or the chain itself at the bottom) such that any ancestor
/// is reached in logarithmically many steps (Myers, "An applicative random-access stack", 1983).
#[derive(Clone, Copy)]
struct Place {
    depth: u32,
    jump: ChainIx,
}

/// Two descriptors give one blob different sizes.
pub(crate) struct SizeConflict {
    pub(crate) known: u64,
    pub(crate) given: u64,
}

/// A bit for each compression, and one for those that are not known.
pub(crate) fn compression_bit(compression: Option<Compression>) -> u8 {
    match compression {
        None => 1,
        Some(Compression::Uncompressed) => 2,
        Some(Compression::Gzip) => 4,
        Some(Compression::EStargz) => 8,
        Some(Compression::Zstd) => 16,
    }
}

impl Layers {
    pub(crate) fn new() -> Self {
        Self {
            blobs: Interner::new(),
            first_descriptors: IndexVec::new(),
            descriptors: Interner::new(),
            descriptor_blobs: IndexVec::new(),
            chains: Interner::new(),
            places: IndexVec::new(),
            layers: Interner::new(),
            layer_chains: IndexVec::new(),
            totals: IndexVec::new(),
            compressions: IndexVec::new(),
        }
    }

    /// The index of a blob, whether or not a layer has it.
    pub(crate) fn blob(&mut self, digest: &Digest) -> BlobIx {
        let (blob, is_new) = self.blobs.intern(digest, |d| *d);
        if is_new {
            self.first_descriptors.push(None);
        }
        blob
    }

    /// The index of a known blob.
    pub(crate) fn find_blob(&self, digest: &Digest) -> Option<BlobIx> {
        self.blobs.find(digest)
    }

    pub(crate) fn reserve(&mut self, layers: usize) {
        self.blobs.reserve(layers);
        self.descriptors.reserve(layers);
        self.chains.reserve(layers);
        self.layers.reserve(layers);
    }

    /// The layer of `descriptor` on top of `parent`.
    pub(crate) fn layer(
        &mut self,
        parent: Option<LayerIx>,
        descriptor: &Descriptor,
    ) -> Result<LayerIx, SizeConflict> {
        let blob = self.blob(&descriptor.digest);
        if let Some(known) = self.size(blob).filter(|known| *known != descriptor.size) {
            return Err(SizeConflict { known, given: descriptor.size });
        }
        let (index, is_new) = self.descriptors.intern(descriptor, Descriptor::clone);
        if is_new {
            self.descriptor_blobs.push(blob);
            self.first_descriptors[blob].get_or_insert(index);
        }
        let (layer, is_new) = self.layers.intern(&LayerKey { descriptor: index, parent }, |key| *key);
        if is_new {
            let below = parent.map(|parent| self.layer_chains[parent]);
            let chain = self.chain(blob, below);
            self.layer_chains.push(chain);
            let total = parent.map_or(0, |parent| self.totals[parent]);
            self.totals.push(total.saturating_add(descriptor.size));
            let below = parent.map_or(0, |parent| self.compressions[parent]);
            self.compressions.push(below | compression_bit(descriptor.compression()));
        }
        Ok(layer)
    }

    fn chain(&mut self, blob: BlobIx, parent: Option<ChainIx>) -> ChainIx {
        let (chain, is_new) = self.chains.intern(&ChainKey { blob, parent }, |key| *key);
        if is_new {
            let place = match parent {
                None => Place { depth: 1, jump: chain },
                Some(parent) => {
                    let below = self.places[parent];
                    let far = self.places[below.jump];
                    let is_balanced = below.depth - far.depth == far.depth - self.places[far.jump].depth;
                    let jump = if is_balanced { far.jump } else { parent };
                    Place { depth: below.depth + 1, jump }
                }
            };
            self.places.push(place);
        }
        chain
    }

    pub(crate) fn chains_len(&self) -> usize {
        self.chains.len()
    }

    pub(crate) fn layers_len(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn blobs_len(&self) -> usize {
        self.blobs.len()
    }

    pub(crate) fn blobs(&self) -> &IndexVec<BlobIx, Digest> {
        self.blobs.values()
    }

    pub(crate) fn digest(&self, blob: BlobIx) -> &Digest {
        self.blobs.value(blob)
    }

    /// The first blob of `other` that has another size here.
    pub(crate) fn first_conflict(&self, other: &Self) -> Option<(Digest, SizeConflict)> {
        other.blobs.values().iter_indexed().find_map(|(blob, digest)| {
            let given = other.size(blob)?;
            let known = self.size(self.find_blob(digest)?)?;
            (known != given).then_some((*digest, SizeConflict { known, given }))
        })
    }

    /// The size in bytes of a blob, which all of its descriptors give.
    fn size(&self, blob: BlobIx) -> Option<u64> {
        Some(self.descriptor(self.first_descriptors[blob]?).size)
    }

    /// The distinct descriptors of some layers and all layers below them.
    pub(crate) fn descriptors_of(&self, tops: impl Iterator<Item = LayerIx>) -> Vec<&Descriptor> {
        let mut seen: IndexVec<LayerIx, bool> = IndexVec::filled(false, self.layers.len());
        let mut taken: IndexVec<DescriptorIx, bool> = IndexVec::filled(false, self.descriptors.len());
        let mut found = Vec::new();
        for top in tops {
            for layer in self.downwards(top) {
                if std::mem::replace(&mut seen[layer], true) {
                    break;
                }
                let descriptor = self.descriptor_of(layer);
                if !std::mem::replace(&mut taken[descriptor], true) {
                    found.push(self.descriptor(descriptor));
                }
            }
        }
        found
    }

    pub(crate) fn layer_indices(&self) -> impl Iterator<Item = LayerIx> + use<> {
        self.layers.values().indices()
    }

    pub(crate) fn layer_descriptor(&self, layer: LayerIx) -> &Descriptor {
        self.descriptors.value(self.layers.value(layer).descriptor)
    }

    pub(crate) fn descriptor_of(&self, layer: LayerIx) -> DescriptorIx {
        self.layers.value(layer).descriptor
    }

    pub(crate) fn descriptor(&self, index: DescriptorIx) -> &Descriptor {
        self.descriptors.value(index)
    }

    pub(crate) fn descriptor_blob(&self, index: DescriptorIx) -> BlobIx {
        self.descriptor_blobs[index]
    }

    pub(crate) fn layer_parent(&self, layer: LayerIx) -> Option<LayerIx> {
        self.layers.value(layer).parent
    }

    pub(crate) fn total(&self, layer: LayerIx) -> u64 {
        self.totals[layer]
    }

    /// The [`compression_bit`]s of a layer and all below it.
    pub(crate) fn compressions(&self, layer: LayerIx) -> u8 {
        self.compressions[layer]
    }

    pub(crate) fn layer_chain(&self, layer: LayerIx) -> ChainIx {
        self.layer_chains[layer]
    }

    pub(crate) fn chain_blob(&self, chain: ChainIx) -> BlobIx {
        self.chains.value(chain).blob
    }

    pub(crate) fn chain_parent(&self, chain: ChainIx) -> Option<ChainIx> {
        self.chains.value(chain).parent
    }

    pub(crate) fn depth(&self, chain: ChainIx) -> u32 {
        self.places[chain].depth
    }

    /// A layer and all below it, topmost first.
    pub(crate) fn downwards(&self, top: LayerIx) -> impl Iterator<Item = LayerIx> {
        std::iter::successors(Some(top), |layer| self.layer_parent(*layer))
    }

    /// Orders two chains by their lists of blob digests, lowest first; a list comes after its beginnings. Takes
    /// logarithmic time in the length of the lists.
    pub(crate) fn cmp_chains(&self, a: ChainIx, b: ChainIx) -> Ordering {
        let (depth_a, depth_b) = (self.depth(a), self.depth(b));
        let level = depth_a.min(depth_b);
        let (mut x, mut y) = (self.ancestor(a, level), self.ancestor(b, level));
        if x == y {
            return depth_a.cmp(&depth_b);
        }
        // Down to the lowest pair that differs: its parents are one chain, or none.
        loop {
            match (self.chain_parent(x), self.chain_parent(y)) {
                (Some(p), Some(q)) if p != q => {
                    let (jump_x, jump_y) = (self.places[x].jump, self.places[y].jump);
                    (x, y) = if jump_x == jump_y { (p, q) } else { (jump_x, jump_y) };
                }
                _ => return self.digest(self.chain_blob(x)).cmp(self.digest(self.chain_blob(y))),
            }
        }
    }

    /// The ancestor of `chain` whose list has `depth` blobs.
    fn ancestor(&self, mut chain: ChainIx, depth: u32) -> ChainIx {
        while self.depth(chain) > depth {
            let jump = self.places[chain].jump;
            chain = match self.chain_parent(chain) {
                _ if self.depth(jump) >= depth => jump,
                Some(parent) => parent,
                None => return chain,
            };
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MediaType;
    use proptest::prelude::*;

    proptest! {
        /// Law: chains order as the lists of their blobs' digests do.
        #[test]
        fn chains_order_as_their_lists(lists in prop::collection::vec(prop::collection::vec(0u8..3, 1..40), 2..12)) {
            let mut layers = Layers::new();
            let mut chains = Vec::new();
            for list in &lists {
                let mut top = None;
                for byte in list {
                    let descriptor = Descriptor::new(MediaType::default(), Digest::sha256([*byte; 32]), 1);
                    top = layers.layer(top, &descriptor).ok();
                }
                chains.push(layers.layer_chain(top.unwrap()));
            }
            for (a, x) in lists.iter().zip(&chains) {
                prop_assert_eq!(layers.depth(*x) as usize, a.len());
                for (b, y) in lists.iter().zip(&chains) {
                    prop_assert_eq!(layers.cmp_chains(*x, *y), a.cmp(b));
                    prop_assert_eq!(x == y, a == b);
                }
            }
        }
    }

    #[test]
    fn comparing_two_deep_chains_takes_few_steps() {
        // A comparison that walks down would take 2^17 steps, ten thousand of them a billion.
        let mut layers = Layers::new();
        let descriptor = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            Descriptor::new(MediaType::default(), Digest::sha256(bytes), 1)
        };
        let mut tops = [None, None];
        for n in 0..1 << 17 {
            for (side, top) in (0..).zip(&mut tops) {
                let n = if n == 0 { side } else { n + 1 };
                *top = layers.layer(*top, &descriptor(n)).ok();
            }
        }
        let [a, b] = tops.map(|top| layers.layer_chain(top.unwrap()));
        for _ in 0..10_000 {
            assert_eq!(std::hint::black_box(&layers).cmp_chains(a, b), Ordering::Less);
        }
    }
}
