//! Why a cache cannot be verified at all.
//!
//! A defect of a cache is never an error: it is a [`Finding`](crate::Finding).

use cache_format::NotACache;
use cache_ingest::{Error, ErrorKind};
use cache_model::Digest;

/// Why a cache cannot be verified at all. One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The name does not exist.
    #[error(transparent)]
    Resolve(Error),
    /// The store does not give the manifest: it is not available, or does not allow it.
    #[error(transparent)]
    Store(Error),
    /// The name stands for something else than a cache, such as an image without one.
    #[error("{found}")]
    NotACache {
        /// The digest of the manifest or index.
        digest: Digest,
        /// What it is instead.
        found: Box<NotACache>,
    },
    /// Layers are decompressed on the threads of a Tokio runtime, and the caller has none.
    #[error(transparent)]
    NoRuntime(Error),
}

impl VerifyError {
    /// The kind of the store's failure; [`ErrorKind::Unsupported`] for no cache, and without a
    /// runtime, as in the stores.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(error) | Self::Store(error) | Self::NoRuntime(error) => error.kind(),
            Self::NotACache { .. } => ErrorKind::Unsupported,
        }
    }

    /// The failure of a store, if that is the cause.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Resolve(error) | Self::Store(error) => Some(error),
            Self::NotACache { .. } | Self::NoRuntime(_) => None,
        }
    }
}
