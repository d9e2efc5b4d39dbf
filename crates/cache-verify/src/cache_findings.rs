//! The findings about one cache, sorted by subject until all of them are known.
//!
//! Plain data: nothing is checked here.

use cache_model::{CacheConfig, Descriptor, Digest};

use crate::{Finding, FindingKind, Place};

/// One cache, or a manifest that leads to no cache.
#[derive(Default)]
pub(crate) struct CacheFindings {
    /// The manifest of the image that contains the cache, by its digest.
    pub(crate) image: Option<Digest>,
    /// The descriptors of the layers, as the manifest lists them.
    pub(crate) layers: Vec<Descriptor>,
    /// The config, if it can be read.
    pub(crate) config: Option<CacheConfig>,
    pub(crate) about_metadata: Vec<Finding>,
    pub(crate) about_layers: Vec<Finding>,
    pub(crate) about_records: Vec<Finding>,
}

impl CacheFindings {
    /// Adds a finding about the manifest or the config.
    pub(crate) fn metadata(&mut self, place: Place, kind: FindingKind) {
        self.about_metadata.push(Finding { image: self.image, place, kind, needed_by: None });
    }

    pub(crate) fn layer(&mut self, positions: Vec<usize>, digest: Option<Digest>, kind: FindingKind) {
        let place = Place::Layer { positions, digest };
        self.about_layers.push(Finding { image: self.image, place, kind, needed_by: None });
    }

    pub(crate) fn record(&mut self, place: Place, kind: FindingKind) {
        self.about_records.push(Finding { image: self.image, place, kind, needed_by: None });
    }
}
