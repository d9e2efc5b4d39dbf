//! What the views of one cache look at.

use cache_format::CacheOrigin;
use cache_model::{CacheConfig, Descriptor};

/// A cache that was read.
///
/// Every view numbers layers and records by their positions in the config, counted from 0.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Cache<'a> {
    /// Where it was found.
    pub origin: &'a CacheOrigin,
    /// Its config.
    pub config: &'a CacheConfig,
    /// The descriptors of its layers, as the manifest has them.
    pub layers: &'a [Descriptor],
}

impl<'a> Cache<'a> {
    /// A cache of these parts, which belong together.
    pub fn new(origin: &'a CacheOrigin, config: &'a CacheConfig, layers: &'a [Descriptor]) -> Self {
        Self { origin, config, layers }
    }
}
