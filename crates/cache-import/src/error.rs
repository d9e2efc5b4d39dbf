//! Why a cache cannot be imported.

use cache_format::FormatError;
use cache_ingest::{Error, ErrorKind};
use cache_model::{AddError, Digest, LoadError};

/// Why a cache cannot be imported. One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store failed, or what it gave is not what its digest says.
    #[error("{0}")]
    Store(#[source] Error),
    /// A manifest, config or image config is above the limit.
    #[error("{what} {digest} has {size} bytes, above the limit of {limit} for metadata")]
    TooLarge {
        /// What it is, such as `cache config`.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A manifest, config or image config cannot be understood.
    #[error("{digest}: {source}")]
    Format {
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        source: Box<FormatError>,
    },
    /// The config's graph makes no sense.
    #[error("cache config {digest}: {source}")]
    Graph {
        /// The digest of the config, or of the image config with an inline cache.
        digest: Digest,
        /// What is wrong with it.
        source: Box<LoadError>,
    },
    /// Caches that are to be united contradict each other.
    #[error("the caches cannot be united: {0}")]
    Unite(#[source] AddError),
    /// There is no cache behind the name.
    #[error("{digest} is not a cache: {reason}")]
    NotACache {
        /// The digest of the manifest or index.
        digest: Digest,
        /// What it is instead.
        reason: String,
    },
}

impl ImportError {
    /// The kind of the store's failure; [`ErrorKind::Corrupt`] for content that makes no sense,
    /// [`ErrorKind::TooLarge`] above the limit.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Format { .. } | Self::Graph { .. } | Self::Unite(_) => ErrorKind::Corrupt,
            Self::NotACache { .. } => ErrorKind::Unsupported,
        }
    }
}
