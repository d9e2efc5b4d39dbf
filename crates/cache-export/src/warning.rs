//! The records and results that an export leaves out, and oddities of the cache, as data.

use std::collections::BTreeMap;

use cache_format::{BUILDKIT_IMPORT_LIMIT, ManifestWarning};
use cache_model::{Digest, MarshalWarning, OneLine, count, grouped};

/// Something that an export left out, or an oddity of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportWarning {
    /// No record has a result with all blobs present, so nothing is exported.
    NoLayers,
    /// A record or a result was left out.
    Marshal(MarshalWarning),
    /// The provider has a blob that is not what its descriptor says, so results that need it are left out.
    DamagedBlob {
        /// The digest of the blob.
        digest: Digest,
        /// How it differs.
        reason: String,
    },
    /// A layer is listed under a media type that is not of the manifest's dialect.
    MediaType(ManifestWarning),
    /// A manifest that would have been kept is written anew for its annotations.
    ManifestAnnotated {
        /// The digest that it had.
        before: Digest,
    },
    /// BuildKit will not import this cache.
    TooLargeForBuildKit {
        /// `config` or `manifest`.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
    },
}

impl ExportWarning {
    /// A warning for each damaged blob, given with the reasons.
    pub(crate) fn of_damage(damaged: &BTreeMap<Digest, String>) -> impl Iterator<Item = Self> {
        damaged.iter().map(|(&digest, reason)| Self::DamagedBlob { digest, reason: reason.clone() })
    }
}

impl std::fmt::Display for ExportWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoLayers => f.write_str("failed to match any cache with layers"),
            Self::Marshal(warning) => warning.fmt(f),
            Self::DamagedBlob { digest, reason } => {
                write!(f, "blob {digest} is damaged and counts as missing: {}", OneLine(reason))
            }
            Self::MediaType(warning) => warning.fmt(f),
            Self::TooLargeForBuildKit { what, size } => {
                let (size, limit) = (count(*size, "byte"), grouped(BUILDKIT_IMPORT_LIMIT));
                write!(f, "the {what} has {size}, and BuildKit imports at most {limit}")?;
                f.write_str(match *what {
                    "config" => {
                        "; `bkcache prune --fit 1MiB` makes it fit, and `--form inline` has no such limit"
                    }
                    _ => "; a cache with fewer layers is smaller",
                })
            }
            Self::ManifestAnnotated { before } => {
                write!(f, "manifest {before} is written anew with the annotations, under another digest")
            }
        }
    }
}
