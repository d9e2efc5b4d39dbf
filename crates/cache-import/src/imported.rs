//! The outcome of an import: caches, the origin of each, and warnings.
//!
//! Plain data: nothing is read from a store here.

use bytes::Bytes;
use cache_format::{CacheOrigin, ImageManifest, NoInlineCache};
use cache_model::{CacheChains, CacheConfig, Descriptor, Digest, DroppedResult, Timestamp, count};

use crate::ImportError;

/// The outcome of an import.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Imported {
    /// One cache for a manifest of a cache; otherwise one for each image with an inline cache.
    pub caches: Vec<ImportedCache>,
    /// Parts that were left out.
    pub warnings: Vec<ImportWarning>,
}

/// One imported cache.
#[derive(Clone)]
#[non_exhaustive]
pub struct ImportedCache {
    /// The manifest or image that it was found in.
    pub origin: CacheOrigin,
    /// The bytes of the config as stored; of an inline cache those of the image config.
    pub config_bytes: Bytes,
    /// The config.
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
    /// The time of its last step, if its config is in the store and its history has times.
    pub newest: Option<Timestamp>,
}

/// Something that an import left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportWarning {
    /// A result whose layers are not all known.
    DroppedResult(DroppedResult),
    /// An image without a usable inline cache.
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
    /// A manifest that an index names and that the store lacks, for example because only some platforms were copied.
    MissingManifest {
        /// Its digest.
        digest: Digest,
    },
    /// The name leads to more manifests than the limit; the rest was ignored.
    TooManyManifests {
        /// The limit.
        limit: usize,
    },
}

impl std::fmt::Display for ImportWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DroppedResult(dropped) => write!(f, "{dropped}"),
            Self::SkippedImage { image, reason } => write!(f, "image {image} is skipped: {reason}"),
            Self::MissingConfig { image, config } => {
                write!(f, "image {image} is skipped: its config {config} is missing")
            }
            Self::MissingManifest { digest } => {
                write!(f, "manifest {digest} is skipped: the index lists it, but it is missing")
            }
            Self::TooManyManifests { limit } => {
                write!(
                    f,
                    "it leads to more than {}; the others are not read",
                    count(*limit as u64, "manifest")
                )
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
            .map_err(|cause| ImportError::Graph { digest, cause: Box::new(cause) })?;
        self.warnings.extend(loaded.dropped.into_iter().map(ImportWarning::DroppedResult));
        self.caches.push(ImportedCache { origin, config_bytes, config, layers, chains: loaded.chains });
        Ok(())
    }

    /// All caches as one. A single cache stays as it is; several are united, so they are read by the closed rule.
    ///
    /// # Errors
    /// [`ImportError::Unite`] if two caches contradict each other about a blob's size.
    pub fn into_chains(self) -> Result<CacheChains, ImportError> {
        let mut caches = self.caches.into_iter();
        let mut chains = caches.next().map(|cache| cache.chains).unwrap_or_default();
        for cache in caches {
            chains.unite(&cache.chains).map_err(ImportError::Unite)?;
        }
        Ok(chains)
    }
}
