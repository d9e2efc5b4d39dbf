//! Why a cache cannot be imported.

use cache_format::{FormatError, NotACache};
use cache_ingest::{Error, ErrorKind};
use cache_model::{AddError, Digest, LoadError, count, grouped};

/// Why a cache cannot be imported. One line each, which includes the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store failed, or gave bytes that do not have the digest.
    #[error(transparent)]
    Store(Error),
    /// A manifest, config or image config is above the limit.
    #[error("{what} {digest} has {}, above the limit of {} for metadata", count(*.size, "byte"), grouped(*.limit))]
    TooLarge {
        /// The kind of document, such as `cache config`.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A manifest, config or image config cannot be understood.
    #[error("{digest}: {cause}")]
    Format {
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        cause: Box<FormatError>,
    },
    /// The records of the config contradict themselves or each other.
    #[error("cache config {digest}: {cause}")]
    Graph {
        /// The digest of the config, or of the image config with an inline cache.
        digest: Digest,
        /// What is wrong with it.
        cause: Box<LoadError>,
    },
    /// Caches that are to be united contradict each other.
    #[error("the caches cannot be united: {0}")]
    Unite(AddError),
    /// There is no cache behind the name.
    #[error("{found}")]
    NotACache {
        /// The digest of the manifest or index.
        digest: Digest,
        /// What it is instead.
        found: Box<NotACache>,
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

    /// The failure of a store, if that is the cause.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cache_format::{ImageIndex, ManifestOrIndex};

    use super::*;

    #[test]
    fn each_error_has_a_kind_to_act_on() {
        let digest = Digest::sha256([7; 32]);
        let too_large = ImportError::TooLarge { what: "cache config", digest, size: 9, limit: 8 };
        let index = ManifestOrIndex::Index(ImageIndex::new(Vec::new()));
        let no_cache = ImportError::NotACache { digest, found: Box::new(NotACache::of(&index)) };
        let store = ImportError::Store(Error::new(ErrorKind::NotFound, "read", "a blob", "gone"));
        for (error, kind, is_of_store) in [
            (too_large, ErrorKind::TooLarge, false),
            (no_cache, ErrorKind::Unsupported, false),
            (ImportError::Unite(AddError::Full), ErrorKind::Corrupt, false),
            (store, ErrorKind::NotFound, true),
        ] {
            assert_eq!((error.kind(), error.store_error().is_some()), (kind, is_of_store), "{error}");
        }
    }
}
