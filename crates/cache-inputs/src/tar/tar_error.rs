//! Why a tar cannot be read as a layer.

use std::io;

use cache_keys::{LayerError, TreePath};
use cache_model::count;

/// Why a tar cannot be read as a layer. Its text continues that of the layer's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The reader fails. The cause is a [`DecodeFailure`](cache_compress::DecodeFailure) where a layer cannot be decompressed.
    #[error("{0}")]
    Read(io::Error),
    /// It ends in the middle of an entry.
    #[error("the tar ends early")]
    Truncated,
    /// It is not what a tar is.
    #[error("the tar is damaged at byte {position}: {reason}")]
    Damaged {
        /// Where, in bytes from the start of the tar.
        position: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// An entry of a kind that containerd does not unpack.
    #[error("{name} is an entry of the kind {flag:?}, which no layer has")]
    UnknownKind {
        /// The name of the entry.
        name: TreePath,
        /// The letter of the kind.
        flag: char,
    },
    /// Its files have more bytes than the limit. A sparse file can have many of which the tar has few.
    #[error("its files have more than {}", count(*limit, "byte"))]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Its entries do not make a layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }
}
