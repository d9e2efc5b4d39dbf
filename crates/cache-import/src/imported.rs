//! What an import gives: caches, where each was found, and what was left out.
//!
//! Data only: it reads nothing from a store.

use bytes::Bytes;
use cache_format::{CacheOrigin, ImageManifest, NoInlineCache};
use cache_model::{CacheChains, CacheConfig, Descriptor, Digest, DroppedResult, Timestamp};

use crate::ImportError;

/// What an import gave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Imported {
    /// One cache for a manifest of a cache; one for each image with an inline cache otherwise.
    pub caches: Vec<ImportedCache>,
    /// What was left out.
    pub warnings: Vec<ImportWarning>,
}

/// One imported cache.
#[derive(Clone)]
#[non_exhaustive]
pub struct ImportedCache {
    /// Where it was found.
    pub origin: CacheOrigin,
    /// The bytes of the config as stored; of an inline cache those of the image config.
    pub config_bytes: Bytes,
    /// The config as read.
    pub config: CacheConfig,
    /// The descriptors of the layers, as the manifest has them.
    pub layers: Vec<Descriptor>,
    /// The config's records.
    pub chains: CacheChains,
}

impl std::fmt::Debug for ImportedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportedCache")
            .field("origin", &self.origin)
            .field("layers", &self.layers.len())
            .field("records", &self.config.records_len())
            .finish()
    }
}

/// An image behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// Its manifest.
    pub manifest: ImageManifest,
    /// The time of its last step, if its history has times.
    pub newest: Option<Timestamp>,
}

/// Something that an import left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportWarning {
    /// A result whose layers are not all known.
    DroppedResult(DroppedResult),
    /// An image without an inline cache that could be used.
    SkippedImage {
        /// The digest of the image's manifest.
        image: Digest,
        /// Why it was skipped.
        reason: NoInlineCache,
    },
    /// An image whose config is not in the store.
    MissingConfig {
        /// The digest of the image's manifest.
        image: Digest,
        /// The digest of the config.
        config: Digest,
    },
    /// A manifest that an index names and that is not in the store, as where only some platforms were copied.
    MissingManifest {
        /// Its digest.
        digest: Digest,
    },
    /// The name leads to more manifests than are looked into.
    TooManyManifests {
        /// How many are looked into.
        limit: usize,
    },
}

impl std::fmt::Display for ImportWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DroppedResult(dropped) => write!(f, "{dropped}"),
            Self::SkippedImage { image, reason } => write!(f, "image {image} is skipped: {reason}"),
            Self::MissingConfig { image, config } => {
                write!(f, "image {image} is skipped: its config {config} is not there")
            }
            Self::MissingManifest { digest } => {
                write!(f, "manifest {digest} is skipped: the index names it, but it is not there")
            }
            Self::TooManyManifests { limit } => {
                write!(f, "it leads to more than {limit} manifests; the others are not looked into")
            }
        }
    }
}

impl Imported {
    pub(crate) fn load(
        &mut self,
        origin: CacheOrigin,
        config_bytes: Bytes,
        config: CacheConfig,
        layers: Vec<Descriptor>,
        digest: Digest,
    ) -> Result<(), ImportError> {
        let loaded = CacheChains::from_config(&config, &layers)
            .map_err(|source| ImportError::Graph { digest, source: Box::new(source) })?;
        self.warnings.extend(loaded.dropped.into_iter().map(ImportWarning::DroppedResult));
        self.caches.push(ImportedCache { origin, config_bytes, config, layers, chains: loaded.chains });
        Ok(())
    }

    /// All caches as one: the only one as it is, several united, which are read closed.
    ///
    /// # Errors
    /// [`ImportError::Unite`] where they contradict each other about a blob's size.
    pub fn into_chains(self) -> Result<CacheChains, ImportError> {
        let mut caches = self.caches.into_iter();
        let mut chains = caches.next().map(|cache| cache.chains).unwrap_or_default();
        for cache in caches {
            chains.unite(&cache.chains).map_err(ImportError::Unite)?;
        }
        Ok(chains)
    }
}
