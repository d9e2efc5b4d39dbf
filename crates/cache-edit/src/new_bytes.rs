//! How many bytes of a result are in no result that was taken before.
//!
//! Each layer is taken once, however many results share it. So the cost grows with the number of layers, not with the
//! sum of the lengths of all results.

use cache_model::{Graph, LayerRef};

use crate::by_position::ByPosition;

/// The blobs of the results that were taken, and for every layer how many bytes taking it would add.
///
/// The layers are a forest, numbered so that a layer and all layers above it are a range. A blob counts at the lowest
/// layer of each stack that has it, for the range of that layer. Taking a blob subtracts its size from its ranges; a
/// Fenwick tree holds them, so that both take logarithmic time.
pub(crate) struct NewBytes {
    /// The layers of the taken results.
    is_taken: ByPosition<bool>,
    has_blob: ByPosition<bool>,
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
    size: u128,
}

/// Numbers at positions, and their sums up to a position (Fenwick, "A new data structure for cumulative frequency
/// tables", 1994). Sums wrap, so that a negative number can be added. They have 128 bits, since the sizes of a few blobs can
/// exceed 64 bits together.
struct PrefixSums(Vec<u128>);

impl NewBytes {
    /// The empty set, for the layers of a graph.
    pub(crate) fn new(graph: &Graph<'_>) -> Self {
        let layers: Vec<LayerRef<'_>> = graph.chains().all_layers().collect();
        let ranges = number(&layers);
        let of_layer = |layer: LayerRef<'_>| BlobRange {
            blob: layer.blob_position(),
            range: ranges.get(layer.position()),
            size: layer.descriptor().size.into(),
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
        let (is_taken, has_blob) = (ByPosition::new(layers.len()), ByPosition::new(0));
        Self { is_taken, has_blob, ranges, counted, starts, sums }
    }

    /// The size of the blobs of a layer, and of all layers below it, that no taken result has.
    pub(crate) fn of(&self, top: LayerRef<'_>) -> u128 {
        self.sums.up_to(self.ranges.get(top.position()).start)
    }

    /// Takes the blobs of a layer and of all layers below it.
    pub(crate) fn take(&mut self, top: LayerRef<'_>) {
        let mut at = Some(top);
        while let Some(layer) = at.filter(|layer| !self.is_taken.replace(layer.position(), true)) {
            let blob = layer.blob_position();
            if !self.has_blob.replace(blob, true) {
                self.take_blob(blob);
            }
            at = layer.parent();
        }
    }

    fn take_blob(&mut self, blob: usize) {
        let from = self.counted.iter().skip(self.starts.get(blob));
        for BlobRange { range, size, .. } in from.take_while(|counted| counted.blob == blob) {
            self.sums.add(range.start, size.wrapping_neg());
            self.sums.add(range.end, *size);
        }
    }
}

impl PrefixSums {
    fn new(len: usize) -> Self {
        Self(vec![0; len + 1])
    }

    /// Adds to the number at a position.
    fn add(&mut self, position: usize, number: u128) {
        let mut at = position;
        while let Some(sum) = self.0.get_mut(at) {
            *sum = sum.wrapping_add(number);
            at |= at + 1;
        }
    }

    /// The sum of the numbers up to a position, itself included.
    fn up_to(&self, position: usize) -> u128 {
        let (mut end, mut total) = (position + 1, 0u128);
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
    use std::collections::{BTreeMap, BTreeSet};

    use cache_model::{CacheChains, Descriptor, Digest, MediaType, NewResult, RecordRef, Timestamp};
    use proptest::prelude::*;

    use super::*;

    /// Three of these sizes exceed 64 bits together.
    fn size(layer: u8) -> u64 {
        (1 << 63) | (1 << layer)
    }

    fn chains(results: &[Vec<u8>]) -> CacheChains {
        let mut chains = CacheChains::new();
        for (n, layers) in results.iter().enumerate() {
            let layer = |layer: &u8| {
                Descriptor::new(MediaType::default(), Digest::sha256([*layer; 32]), size(*layer))
            };
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
            let mut taken = BTreeSet::<&u8>::new();
            for (top, layers) in tops.iter().zip(&results) {
                for (other, layers) in tops.iter().zip(&results) {
                    let blobs: BTreeMap<&u8, u64> = layers.iter().map(|layer| (layer, size(*layer))).collect();
                    let new = blobs.into_iter().filter(|(layer, _)| !taken.contains(layer));
                    prop_assert_eq!(kept.of(*other), new.map(|(_, size)| u128::from(size)).sum::<u128>());
                }
                kept.take(*top);
                taken.extend(layers.iter());
            }
        }
    }
}
