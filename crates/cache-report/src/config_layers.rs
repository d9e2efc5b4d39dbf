//! The layers of a config with their descriptors, and the layers that lie below each.
//!
//! Any config will do: positions may be out of range, and parents may form a circle. Nothing here recurses.

use std::collections::HashMap;

use cache_model::{
    CacheConfig, ConfigChain, ConfigLayer, ConfigRecord, ConfigResult, Descriptor, Digest, Timestamp,
};

use crate::Cache;

/// The layers of a config, by position.
pub(crate) struct ConfigLayers<'a> {
    config: &'a CacheConfig,
    /// Of several descriptors of one digest the last counts, as for BuildKit.
    descriptors: HashMap<Digest, &'a Descriptor>,
    /// The sum of each layer and all layers below it.
    stacks: Vec<LayerSum>,
}

/// How many layers, and how many bytes they have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerSum {
    pub(crate) layers: u64,
    pub(crate) bytes: u64,
}

/// A result of a record, in either way in which a config writes it.
#[derive(Clone, Copy)]
pub(crate) enum RecordResult<'a> {
    /// A layer with all layers below it.
    Stack(&'a ConfigResult),
    /// A list of layers, lowest first.
    List(ConfigChain<'a>),
}

impl<'a> ConfigLayers<'a> {
    pub(crate) fn of(cache: &Cache<'a>) -> Self {
        let descriptors = cache.layers.iter().map(|descriptor| (descriptor.digest, descriptor)).collect();
        let mut layers = Self { config: cache.config, descriptors, stacks: Vec::new() };
        layers.stacks = layers.sum_up();
        layers
    }

    /// The descriptor of a layer's blob, if the manifest lists it.
    pub(crate) fn descriptor(&self, layer: &ConfigLayer) -> Option<&'a Descriptor> {
        self.descriptors.get(&layer.blob?).copied()
    }

    /// The layer at a position.
    pub(crate) fn layer(&self, position: i32) -> Option<&'a ConfigLayer> {
        self.config.layers().get(usize::try_from(position).ok()?)
    }

    /// The top layer of a result.
    pub(crate) fn top(&self, result: RecordResult<'a>) -> Option<&'a ConfigLayer> {
        self.layer(match result {
            RecordResult::Stack(result) => result.layer,
            RecordResult::List(chain) => *chain.layers.last()?,
        })
    }

    /// The sum of all layers of a result.
    pub(crate) fn sum(&self, result: RecordResult<'a>) -> LayerSum {
        match result {
            RecordResult::Stack(result) => {
                let position = usize::try_from(result.layer).ok();
                position.and_then(|at| self.stacks.get(at)).copied().unwrap_or_default()
            }
            RecordResult::List(chain) => {
                let layers = chain.layers.iter().filter_map(|layer| self.layer(*layer));
                layers.fold(LayerSum::default(), |sum, layer| sum.with(self.size(layer)))
            }
        }
    }

    /// The size of a layer's blob in bytes; 0 if the manifest does not list it.
    pub(crate) fn size(&self, layer: &ConfigLayer) -> u64 {
        self.descriptor(layer).map_or(0, |descriptor| descriptor.size)
    }

    fn sum_up(&self) -> Vec<LayerSum> {
        let layers = self.config.layers();
        let mut sums: Vec<Option<LayerSum>> = vec![None; layers.len()];
        let mut path = Vec::new();
        for start in 0..layers.len() {
            let mut next = Some(start);
            // A layer on the path has a sum already, so that a circle ends there.
            while let Some(at) = next.filter(|at| matches!(sums.get(*at), Some(None))) {
                if let Some(sum) = sums.get_mut(at) {
                    *sum = Some(LayerSum::default());
                }
                path.push(at);
                next = layers.get(at).and_then(|layer| usize::try_from(layer.parent).ok());
            }
            let mut sum = next.and_then(|at| sums.get(at).copied().flatten()).unwrap_or_default();
            while let Some(at) = path.pop() {
                sum = sum.with(layers.get(at).map_or(0, |layer| self.size(layer)));
                if let Some(slot) = sums.get_mut(at) {
                    *slot = Some(sum);
                }
            }
        }
        sums.into_iter().map(Option::unwrap_or_default).collect()
    }
}

impl LayerSum {
    fn with(self, bytes: u64) -> Self {
        Self { layers: self.layers + 1, bytes: self.bytes.saturating_add(bytes) }
    }
}

impl RecordResult<'_> {
    pub(crate) fn created_at(&self) -> Timestamp {
        match self {
            Self::Stack(result) => result.created_at,
            Self::List(chain) => chain.created_at,
        }
    }
}

/// The results of a record, in the order of the config.
pub(crate) fn results(record: ConfigRecord<'_>) -> impl Iterator<Item = RecordResult<'_>> {
    record.results().iter().map(RecordResult::Stack).chain(record.chains().map(RecordResult::List))
}

/// The times of all results. A result of an inline cache may have none.
pub(crate) fn times(config: &CacheConfig) -> impl Iterator<Item = Timestamp> + '_ {
    let times = config.records().flat_map(|record| results(record).map(|result| result.created_at()));
    times.filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use cache_format::{CacheOrigin, Form};
    use cache_model::{CacheConfigBuilder, ConfigLayer, MediaType};

    use super::*;

    /// The sums of stacks of layers, each with its parent; layer n has n + 1 bytes.
    fn sums(parents: &[i32]) -> Vec<(u64, u64)> {
        let mut builder = CacheConfigBuilder::new();
        let mut listed = Vec::new();
        for (n, parent) in parents.iter().enumerate() {
            let digest = Digest::of(n.to_le_bytes());
            builder.layer(ConfigLayer { blob: Some(digest), parent: *parent, annotations: None });
            listed.push(Descriptor::new(MediaType::OCI_LAYER_TAR, digest, n as u64 + 1));
        }
        let config = builder.finish();
        let origin = CacheOrigin::Manifest {
            form: Form::Manifest,
            config: Descriptor::of(MediaType::CACHE_CONFIG, ""),
        };
        let layers = ConfigLayers::of(&Cache::new(&origin, &config, &listed));
        layers.stacks.iter().map(|sum| (sum.layers, sum.bytes)).collect()
    }

    #[test]
    fn a_layer_counts_with_all_layers_below_it() {
        assert_eq!(sums(&[1, 2, -1, 2]), [(3, 6), (2, 5), (1, 3), (2, 7)]);
    }

    #[test]
    fn a_circle_and_a_parent_out_of_range_end_a_stack() {
        assert_eq!(sums(&[1, 0, 9, -7]), [(2, 3), (1, 2), (1, 3), (1, 4)]);
        assert_eq!(sums(&[0]), [(1, 1)]);
        assert_eq!(sums(&[9])[0], (1, 1));
    }
}
