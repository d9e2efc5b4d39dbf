//! Why a cache cannot be looked at.
//!
//! It never stands for something that is wrong with a cache: that is a [`Finding`](crate::Finding).

use cache_ingest::{Error, ErrorKind};

/// Why a cache cannot be verified at all. One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The name stands for nothing.
    #[error("{0}")]
    Resolve(#[source] Error),
    /// The store does not give the manifest: it is not available, or does not allow it.
    #[error("{0}")]
    Store(#[source] Error),
}

impl VerifyError {
    /// The kind of the store's failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Resolve(error) | Self::Store(error) => error.kind(),
        }
    }
}
