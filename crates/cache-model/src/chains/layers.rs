//! Layers, interned as a trie when they are added.
//!
//! A *layer* is a descriptor on top of a parent layer. A *stack* is a blob on top of a parent stack: a layer without the
//! details of its descriptors. Layers with the same list of blob digests have the same stack. Memory grows with the
//! number of distinct layers, not with the total length of all results.

use std::cmp::Ordering;

use crate::arena::index::{BlobIx, DescriptorIx, IndexVec, LayerIx, StackIx};
use crate::arena::intern::Interner;
use crate::{Compression, Descriptor, Digest};

/// All layers of a cache.
#[derive(Clone)]
pub(crate) struct Layers {
    blobs: Interner<BlobIx, Digest>,
    first_descriptors: IndexVec<BlobIx, Option<DescriptorIx>>,
    descriptors: Interner<DescriptorIx, Descriptor>,
    descriptor_blobs: IndexVec<DescriptorIx, BlobIx>,
    stacks: Interner<StackIx, StackKey>,
    places: IndexVec<StackIx, Place>,
    layers: Interner<LayerIx, LayerKey>,
    layer_stacks: IndexVec<LayerIx, StackIx>,
    /// The size in bytes of each layer with all below it.
    totals: IndexVec<LayerIx, u64>,
    /// The [`compression_bit`]s of each layer and all below it.
    compressions: IndexVec<LayerIx, u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct StackKey {
    blob: BlobIx,
    parent: Option<StackIx>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct LayerKey {
    descriptor: DescriptorIx,
    parent: Option<LayerIx>,
}

/// The place of a stack in the trie. `jump` is an ancestor (or the stack itself at the bottom), chosen so that any
/// ancestor is reached in logarithmically many steps (Myers, "An applicative random-access stack", 1983).
#[derive(Clone, Copy)]
struct Place {
    depth: u32,
    jump: StackIx,
}

/// Two descriptors give one blob different sizes.
pub(crate) struct SizeConflict {
    pub(crate) known: u64,
    pub(crate) given: u64,
}

/// The bit of a compression, or of an unknown compression.
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
            stacks: Interner::new(),
            places: IndexVec::new(),
            layers: Interner::new(),
            layer_stacks: IndexVec::new(),
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

    /// The index of a blob; `None` if it was never added.
    pub(crate) fn find_blob(&self, digest: &Digest) -> Option<BlobIx> {
        self.blobs.find(digest)
    }

    pub(crate) fn reserve(&mut self, layers: usize) {
        self.blobs.reserve(layers);
        self.descriptors.reserve(layers);
        self.stacks.reserve(layers);
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
            let below = parent.map(|parent| self.layer_stacks[parent]);
            let stack = self.stack(blob, below);
            self.layer_stacks.push(stack);
            let total = parent.map_or(0, |parent| self.totals[parent]);
            self.totals.push(total.saturating_add(descriptor.size));
            let below = parent.map_or(0, |parent| self.compressions[parent]);
            self.compressions.push(below | compression_bit(descriptor.compression()));
        }
        Ok(layer)
    }

    fn stack(&mut self, blob: BlobIx, parent: Option<StackIx>) -> StackIx {
        let (stack, is_new) = self.stacks.intern(&StackKey { blob, parent }, |key| *key);
        if is_new {
            let place = match parent {
                None => Place { depth: 1, jump: stack },
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
        stack
    }

    pub(crate) fn stacks_len(&self) -> usize {
        self.stacks.len()
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

    /// The size in bytes of a blob. All of its descriptors give the same size.
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

    pub(crate) fn layer_stack(&self, layer: LayerIx) -> StackIx {
        self.layer_stacks[layer]
    }

    pub(crate) fn stack_blob(&self, stack: StackIx) -> BlobIx {
        self.stacks.value(stack).blob
    }

    pub(crate) fn stack_parent(&self, stack: StackIx) -> Option<StackIx> {
        self.stacks.value(stack).parent
    }

    pub(crate) fn depth(&self, stack: StackIx) -> u32 {
        self.places[stack].depth
    }

    /// A layer and all below it, topmost first.
    pub(crate) fn downwards(&self, top: LayerIx) -> impl Iterator<Item = LayerIx> {
        std::iter::successors(Some(top), |layer| self.layer_parent(*layer))
    }

    /// Orders two stacks by their lists of blob digests, lowest layer first; a list comes after its own prefixes. Takes
    /// logarithmic time in the length of the lists.
    pub(crate) fn cmp_stacks(&self, a: StackIx, b: StackIx) -> Ordering {
        let (depth_a, depth_b) = (self.depth(a), self.depth(b));
        let level = depth_a.min(depth_b);
        let (mut x, mut y) = (self.ancestor(a, level), self.ancestor(b, level));
        if x == y {
            return depth_a.cmp(&depth_b);
        }
        // Go down to the lowest pair that differs: both have the same parent, or none.
        loop {
            match (self.stack_parent(x), self.stack_parent(y)) {
                (Some(p), Some(q)) if p != q => {
                    let (jump_x, jump_y) = (self.places[x].jump, self.places[y].jump);
                    (x, y) = if jump_x == jump_y { (p, q) } else { (jump_x, jump_y) };
                }
                _ => return self.digest(self.stack_blob(x)).cmp(self.digest(self.stack_blob(y))),
            }
        }
    }

    /// The ancestor of `stack` with `depth` blobs.
    fn ancestor(&self, mut stack: StackIx, depth: u32) -> StackIx {
        while self.depth(stack) > depth {
            let jump = self.places[stack].jump;
            stack = match self.stack_parent(stack) {
                _ if self.depth(jump) >= depth => jump,
                Some(parent) => parent,
                None => return stack,
            };
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MediaType;
    use proptest::prelude::*;

    proptest! {
        /// Law: stacks have the same order as the lists of their blobs' digests.
        #[test]
        fn stacks_have_the_order_of_their_lists(lists in prop::collection::vec(prop::collection::vec(0u8..3, 1..40), 2..12)) {
            let mut layers = Layers::new();
            let mut stacks = Vec::new();
            for list in &lists {
                let mut top = None;
                for byte in list {
                    let descriptor = Descriptor::new(MediaType::default(), Digest::sha256([*byte; 32]), 1);
                    top = layers.layer(top, &descriptor).ok();
                }
                stacks.push(layers.layer_stack(top.unwrap()));
            }
            for (a, x) in lists.iter().zip(&stacks) {
                prop_assert_eq!(layers.depth(*x) as usize, a.len());
                for (b, y) in lists.iter().zip(&stacks) {
                    prop_assert_eq!(layers.cmp_stacks(*x, *y), a.cmp(b));
                    prop_assert_eq!(x == y, a == b);
                }
            }
        }
    }

    #[test]
    fn comparing_two_deep_stacks_takes_few_steps() {
        // A comparison that visits each layer would take 2^17 steps; ten thousand would take more than a billion.
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
        let [a, b] = tops.map(|top| layers.layer_stack(top.unwrap()));
        for _ in 0..10_000 {
            assert_eq!(std::hint::black_box(&layers).cmp_stacks(a, b), Ordering::Less);
        }
    }
}
