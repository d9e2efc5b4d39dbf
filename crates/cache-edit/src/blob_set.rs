//! A growing set of blobs, and how many bytes of a result it does not have yet.
//!
//! Each layer is walked once, however many results share it. So the cost grows with the number of layers, not with the
//! sum of the lengths of all results.

use cache_model::{Graph, LayerRef};

use crate::by_position::ByPosition;

/// The blobs of the results that were taken; each is counted once.
#[derive(Clone)]
pub(crate) struct BlobSet {
    /// The layers of the taken results.
    layers: ByPosition<bool>,
    has_blob: ByPosition<bool>,
    blobs: usize,
    bytes: u64,
}

/// A [`BlobSet`] that knows of every layer how many bytes taking it would add.
///
/// The layers are a forest, numbered so that a layer and all layers above it are a range. A blob counts at the lowest
/// layer of each stack that has it, for the range of that layer. Taking a blob subtracts its size from its ranges; a
/// Fenwick tree holds them, so that both take logarithmic time.
pub(crate) struct NewBytes {
    set: BlobSet,
    ranges: ByPosition<Range>,
    /// The ranges in which each blob counts, sorted by blob.
    counted: Vec<BlobRange>,
    /// The first of `counted` of each blob.
    starts: ByPosition<usize>,
    sums: PrefixSums,
}

/// The numbers of a layer and of all layers above it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BlobRange {
    blob: usize,
    range: Range,
    size: u64,
}

/// Numbers at positions, and their sums up to a position (Fenwick, "A new data structure for cumulative frequency
/// tables", 1994). Sums wrap, so that a negative number can be added.
struct PrefixSums(Vec<u64>);

impl BlobSet {
    pub(crate) fn new() -> Self {
        Self { layers: ByPosition::new(0), has_blob: ByPosition::new(0), blobs: 0, bytes: 0 }
    }

    /// How many blobs there are.
    pub(crate) fn blobs(&self) -> usize {
        self.blobs
    }

    /// The size of all blobs.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the blobs of a layer and of all layers below it. `added` receives a layer of each new blob.
    pub(crate) fn take(&mut self, top: LayerRef<'_>, mut added: impl FnMut(LayerRef<'_>)) {
        let mut at = Some(top);
        while let Some(layer) = at.filter(|layer| !self.layers.replace(layer.position(), true)) {
            if !self.has_blob.replace(layer.blob_position(), true) {
                self.blobs += 1;
                self.bytes = self.bytes.saturating_add(layer.descriptor().size);
                added(layer);
            }
            at = layer.parent();
        }
    }
}

impl NewBytes {
    /// The empty set, for the layers of a graph.
    pub(crate) fn new(graph: &Graph<'_>) -> Self {
        let layers: Vec<LayerRef<'_>> = graph.chains().all_layers().collect();
        let ranges = number(&layers);
        let of_layer = |layer: LayerRef<'_>| BlobRange {
            blob: layer.blob_position(),
            range: ranges.get(layer.position()),
            size: layer.descriptor().size,
        };
        let mut counted: Vec<BlobRange> = layers.iter().copied().map(of_layer).collect();
        counted.sort_unstable();
        // Ranges are apart or within one another, and the outer one comes first.
        counted.dedup_by(|inner, outer| inner.blob == outer.blob && inner.range.start < outer.range.end);
        let mut starts = ByPosition::new(0);
        for (at, counted) in counted.iter().enumerate().rev() {
            starts.set(counted.blob, at);
        }
        let mut sums = PrefixSums::new(layers.len());
        for BlobRange { range, size, .. } in counted.iter().copied() {
            sums.add(range.start, size);
            sums.add(range.end, size.wrapping_neg());
        }
        Self { set: BlobSet::new(), ranges, counted, starts, sums }
    }

    /// The size of the blobs of a layer, and of all layers below it, that the set does not have.
    pub(crate) fn of(&self, top: LayerRef<'_>) -> u64 {
        self.sums.up_to(self.ranges.get(top.position()).start)
    }

    /// Takes the blobs of a layer and of all layers below it.
    pub(crate) fn take(&mut self, top: LayerRef<'_>) {
        let Self { set, counted, starts, sums, .. } = self;
        set.take(top, |layer| {
            let blob = layer.blob_position();
            let of_blob = counted.iter().skip(starts.get(blob)).take_while(|counted| counted.blob == blob);
            for BlobRange { range, size, .. } in of_blob {
                sums.add(range.start, size.wrapping_neg());
                sums.add(range.end, *size);
            }
        });
    }
}

impl PrefixSums {
    fn new(len: usize) -> Self {
        Self(vec![0; len + 1])
    }

    /// Adds to the number at a position.
    fn add(&mut self, position: usize, number: u64) {
        let mut at = position;
        while let Some(sum) = self.0.get_mut(at) {
            *sum = sum.wrapping_add(number);
            at |= at + 1;
        }
    }

    /// The sum of the numbers up to a position, itself included.
    fn up_to(&self, position: usize) -> u64 {
        let (mut end, mut total) = (position + 1, 0u64);
        while let Some(at) = end.checked_sub(1) {
            total = total.wrapping_add(self.0.get(at).copied().unwrap_or_default());
            end &= at;
        }
        total
    }
}

/// Numbers layers so that each is followed by the layers above it. They are given after the layers below them, so the
/// layers above are counted backwards, and numbers are given forwards.
fn number(layers: &[LayerRef<'_>]) -> ByPosition<Range> {
    let mut counts = ByPosition::<usize>::new(layers.len());
    for layer in layers.iter().rev() {
        let count = counts.get(layer.position()) + 1;
        counts.set(layer.position(), count);
        if let Some(parent) = layer.parent() {
            counts.set(parent.position(), counts.get(parent.position()) + count);
        }
    }
    let mut ranges = ByPosition::new(layers.len());
    // The next free number above each layer.
    let mut free = ByPosition::<usize>::new(layers.len());
    let mut free_below = 0;
    for layer in layers {
        let count = counts.get(layer.position());
        let start = match layer.parent() {
            None => {
                free_below += count;
                free_below - count
            }
            Some(parent) => {
                let start = free.get(parent.position());
                free.replace(parent.position(), start + count)
            }
        };
        ranges.set(layer.position(), Range { start, end: start + count });
        free.set(layer.position(), start + 1);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cache_model::{CacheChains, Descriptor, Digest, MediaType, NewResult, RecordRef, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn chains(results: &[Vec<u8>]) -> CacheChains {
        let mut chains = CacheChains::new();
        for (n, layers) in results.iter().enumerate() {
            let layer =
                |layer: &u8| Descriptor::new(MediaType::default(), Digest::sha256([*layer; 32]), 1 << layer);
            let layers: Vec<Descriptor> = layers.iter().map(layer).collect();
            let top = chains.layers(&layers).unwrap();
            chains.add(&n.to_string().as_str().into(), &[], &[NewResult::new(top, Timestamp::ZERO)]).unwrap();
        }
        chains
    }

    proptest! {
        /// Law: the new bytes of a result are those of its blobs that are in no result that was taken.
        #[test]
        fn new_bytes_are_those_of_blobs_that_were_not_taken(
            results in prop::collection::vec(prop::collection::vec(0u8..7, 1..6), 1..8),
        ) {
            let chains = chains(&results);
            let graph = chains.graph().unwrap();
            let tops: Vec<LayerRef<'_>> =
                graph.records().filter_map(|record: RecordRef<'_>| record.results().next()?.top()).collect();
            let mut kept = NewBytes::new(&graph);
            let mut taken = BTreeMap::new();
            for (top, layers) in tops.iter().zip(&results) {
                for (other, layers) in tops.iter().zip(&results) {
                    let blobs: BTreeMap<&u8, u64> = layers.iter().map(|layer| (layer, 1 << layer)).collect();
                    let new = blobs.into_iter().filter(|(layer, _)| !taken.contains_key(layer));
                    prop_assert_eq!(kept.of(*other), new.map(|(_, size)| size).sum::<u64>());
                }
                kept.take(*top);
                taken.extend(layers.iter().map(|layer| (layer, 1u64 << layer)));
                let sum = taken.values().sum::<u64>();
                prop_assert_eq!((kept.set.blobs(), kept.set.bytes()), (taken.len(), sum));
            }
        }
    }
}
