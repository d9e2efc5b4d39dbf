//! What the views of one cache look at.

use cache_format::CacheOrigin;
use cache_model::{CacheConfig, Descriptor, Graph};

/// A cache that was read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Cache<'a> {
    /// Where it was found.
    pub origin: &'a CacheOrigin,
    /// Its config.
    pub config: &'a CacheConfig,
    /// The descriptors of its layers, as the manifest has them.
    pub layers: &'a [Descriptor],
    /// Its records.
    pub graph: &'a Graph<'a>,
}

impl<'a> Cache<'a> {
    /// A cache of these parts, which belong together.
    pub fn new(
        origin: &'a CacheOrigin,
        config: &'a CacheConfig,
        layers: &'a [Descriptor],
        graph: &'a Graph<'a>,
    ) -> Self {
        Self { origin, config, layers, graph }
    }
}
