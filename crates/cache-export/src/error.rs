//! Why a cache cannot be exported.

use cache_format::FormatError;
use cache_ingest::{Error, ErrorKind};
use cache_model::{Digest, ReadError};

/// Why a cache cannot be exported. One line each; nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A store failed; the error says on which side.
    #[error("{0}")]
    Store(#[source] Error),
    /// The graph of the records cannot be read.
    #[error("{0}")]
    Graph(#[source] ReadError),
    /// The config or the manifest cannot be read or built.
    #[error("{0}")]
    Format(#[source] FormatError),
    /// A layer of the config has no descriptor.
    #[error(
        "missing blob {digest}: layer {layer} of the config has it, but the manifest lists no descriptor of it"
    )]
    MissingBlob {
        /// The digest of the blob.
        digest: Digest,
        /// The position of the layer.
        layer: usize,
    },
}

impl ExportError {
    /// The kind of the store's failure; [`ErrorKind::Corrupt`] for content that makes no sense.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Graph(_) | Self::Format(_) | Self::MissingBlob { .. } => ErrorKind::Corrupt,
        }
    }
}
