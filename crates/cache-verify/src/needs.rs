//! Which records need a layer: those with a result on top of it.
//!
//! Pure. The config may have indices out of range and layers in circles. No recursion, and bounded work.

use std::collections::{HashMap, HashSet};

use cache_model::{CacheConfig, Digest};

/// The steps that all questions about a report may take together. The layers of a deep stack that is gone altogether
/// have quadratically many records that need them.
pub(crate) const STEPS: u64 = 1 << 24;

/// The layers and the records on top of each layer of a config.
pub(crate) struct LayerNeeds {
    positions: HashMap<Digest, Vec<usize>>,
    /// The layers that have a layer for their parent.
    above: Vec<Vec<usize>>,
    /// The records with a result whose top layer this is. They need all layers below it, too.
    topped: Vec<Vec<usize>>,
    /// The records with a result that lists this layer among others. They need no parents.
    listed: Vec<Vec<usize>>,
}

impl LayerNeeds {
    pub(crate) fn of(config: &CacheConfig) -> Self {
        let len = config.layers().len();
        let mut needs = Self {
            positions: HashMap::new(),
            above: vec![Vec::new(); len],
            topped: vec![Vec::new(); len],
            listed: vec![Vec::new(); len],
        };
        for (position, layer) in config.layers().iter().enumerate() {
            if let Some(blob) = layer.blob {
                needs.positions.entry(blob).or_default().push(position);
            }
            push(&mut needs.above, layer.parent, position);
        }
        for record in config.records() {
            let tops = record.results().iter().map(|result| result.layer);
            tops.for_each(|layer| push(&mut needs.topped, layer, record.position()));
            let listed = record.chains().flat_map(|chain| chain.layers);
            listed.for_each(|layer| push(&mut needs.listed, *layer, record.position()));
        }
        needs
    }

    /// The positions of the layers that have a blob.
    pub(crate) fn positions(&self, blob: &Digest) -> &[usize] {
        self.positions.get(blob).map_or(&[], Vec::as_slice)
    }

    /// The positions of the records that need one of these layers, in order. `None` if that takes more steps than are left.
    pub(crate) fn records(&self, layers: &[usize], steps: &mut u64) -> Option<Vec<usize>> {
        let listed = || layers.iter().filter_map(|layer| self.listed.get(*layer));
        *steps = listed().try_fold(*steps, |left, records| left.checked_sub(records.len() as u64))?;
        let mut found: Vec<usize> = listed().flatten().copied().collect();
        let mut seen: HashSet<usize> = layers.iter().copied().collect();
        let mut waiting = layers.to_vec();
        while let Some(layer) = waiting.pop() {
            let (above, topped) = (self.above.get(layer)?, self.topped.get(layer)?);
            *steps = steps.checked_sub(1 + (above.len() + topped.len()) as u64)?;
            found.extend(topped);
            waiting.extend(above.iter().copied().filter(|layer| seen.insert(*layer)));
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

fn push(lists: &mut [Vec<usize>], at: i32, item: usize) {
    if let Some(list) = usize::try_from(at).ok().and_then(|at| lists.get_mut(at)) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use cache_model::{CacheConfigBuilder, ConfigLayer, ConfigResult, RecordDigest, Timestamp};

    use super::*;

    fn blob(n: u8) -> Digest {
        Digest::sha256([n; 32])
    }

    /// Layers 1 and 2 on top of layer 0, and layer 3 with the blob of layer 1.
    fn needs() -> LayerNeeds {
        let mut builder = CacheConfigBuilder::new();
        for (n, parent) in [(0, None), (1, Some(0)), (2, Some(0)), (1, None)] {
            builder.layer(ConfigLayer::new(blob(n), parent));
        }
        for layers in [vec![1], vec![2, 1], vec![3], vec![9]] {
            let mut record = builder.record(RecordDigest::new(&format!("{layers:?}")));
            for layer in layers {
                record.result(ConfigResult::new(layer, Timestamp::ZERO));
            }
        }
        builder.record(RecordDigest::new("chain")).chain(&[2, 3], Timestamp::ZERO);
        LayerNeeds::of(&builder.finish())
    }

    #[test]
    fn a_record_needs_the_layers_of_its_results_and_all_layers_below_them() {
        let needs = needs();
        let of = |n| needs.records(needs.positions(&blob(n)), &mut STEPS.clone());
        assert_eq!(needs.positions(&blob(1)), [1, 3]);
        assert_eq!(of(0), Some(vec![0, 1]));
        assert_eq!(of(1), Some(vec![0, 1, 2, 4]));
        assert_eq!(of(2), Some(vec![1, 4]));
        assert_eq!(of(9), Some(vec![]));
    }

    #[test]
    fn what_takes_too_many_steps_has_no_answer() {
        assert_eq!(needs().records(&[0], &mut 3), None);
    }

    #[test]
    fn layers_in_a_circle_end_the_search() {
        let mut builder = CacheConfigBuilder::new();
        builder.layer(ConfigLayer::new(blob(0), Some(1)));
        builder.layer(ConfigLayer::new(blob(1), Some(0)));
        let needs = LayerNeeds::of(&builder.finish());
        assert_eq!(needs.records(&[0], &mut STEPS.clone()), Some(vec![]));
    }
}
