//! The kinds of findings: what each says, its name for programs, and how grave it is.
//!
//! Each message says what was found, then what it means or what to do. It never repeats the place.

use std::fmt;
use std::sync::Arc;

use cache_compress::Undecodable;
use cache_format::{BUILDKIT_IMPORT_LIMIT, FormatError, NoInlineCache};
use cache_ingest::Error;
use cache_model::{Compression, Digest, LoadError, MediaType, ReadError, count, grouped};

use crate::Severity;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The blob is not in the store.
    MissingBlob,
    /// The blob is shorter than its descriptor says.
    ShortBlob {
        /// The descriptor's size in bytes.
        expected: u64,
        /// The blob's size in bytes.
        actual: u64,
    },
    /// The blob is longer than its descriptor says.
    LongBlob {
        /// The descriptor's size in bytes.
        expected: u64,
        /// The blob's size in bytes, where the store says it.
        actual: Option<u64>,
    },
    /// The blob has the size that its descriptor says, and other content.
    WrongDigest {
        /// The digest of the content.
        actual: Digest,
    },
    /// The store failed to give the blob.
    UnreadableBlob {
        /// How it failed.
        error: Arc<Error>,
    },
    /// A manifest or config is above the limit for metadata, and was not read.
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A manifest or config above 1 MiB, which BuildKit refuses to import.
    AboveImportLimit {
        /// Its size in bytes.
        size: u64,
    },
    /// The manifest cannot be understood.
    ManifestUnreadable {
        /// Why.
        error: FormatError,
    },
    /// A manifest that an index names is not in the store.
    MissingManifest,
    /// An index has more manifests than are looked at.
    TooManyManifests {
        /// How many are looked at.
        limit: usize,
    },
    /// An image without a usable cache.
    SkippedImage {
        /// Why.
        reason: NoInlineCache,
    },
    /// The history of an image with an inline cache has fewer steps with a layer than the image has layers. OCI's image
    /// specification allows that, but BuildKit 0.32 crashes when it imports the cache.
    HistoryTooShort {
        /// The number of steps that made a layer.
        steps: usize,
        /// The number of layers.
        layers: usize,
    },
    /// The config cannot be understood.
    ConfigUnreadable {
        /// Why.
        error: FormatError,
    },
    /// The records of the config contradict themselves or each other.
    GraphUnsound {
        /// How.
        error: LoadError,
    },
    /// The manifest does not list one layer for each layer of the config, in order.
    LayerListMismatch {
        /// How many layers the manifest lists.
        listed: usize,
        /// How many layers the config has.
        config: usize,
        /// The first position at which they differ.
        position: usize,
    },
    /// The manifest lists a blob that no layer of the config has.
    LayerNotInConfig,
    /// The config has a layer with this blob and this parent already.
    DuplicateLayer {
        /// The position of the first one.
        first: usize,
    },
    /// No result of a record reaches the layer.
    UnreachableLayer,
    /// The content has another compression than the media type says.
    MediaTypeMismatch {
        /// The media type.
        media_type: MediaType,
        /// The compression of the content.
        found: Compression,
    },
    /// The media type is not one of a layer.
    UnknownMediaType {
        /// The media type; empty where none is given.
        media_type: MediaType,
    },
    /// The content is not valid in its compression.
    NotDecompressible {
        /// The compression.
        compression: Compression,
        /// What is wrong.
        reason: Undecodable,
    },
    /// The layer has more bytes, decompressed, than the limit allows.
    ExpansionLimit {
        /// The limit in bytes.
        limit: u64,
    },
    /// The decompressed layer does not have the digest that the annotation says.
    DiffIdMismatch {
        /// The diff ID of the annotation.
        expected: Digest,
        /// The digest of the decompressed layer.
        actual: Digest,
    },
    /// The layer has no annotation with its diff ID.
    DiffIdMissing,
    /// The annotation with the diff ID holds no digest.
    DiffIdInvalid {
        /// What it holds.
        text: String,
    },
    /// A result is lost on import, since a layer of it has no descriptor.
    DroppedResult {
        /// The position, in the config, of that layer.
        layer: usize,
        /// The blob of that layer, where it names one.
        blob: Option<Digest>,
    },
    /// Several records that mean the same.
    DuplicateRecord {
        /// How many records they become when caches are merged.
        distinct: usize,
    },
    /// A record that is left out on import: all links of an input close cycles or lead to records that are left out.
    RecordLeftOut,
    /// The graph of the config's records cannot be read.
    GraphTangled {
        /// Why.
        error: ReadError,
    },
    /// The graph of the config's records can be read by BuildKit's rule, but not by the closed rule, by which caches are
    /// merged.
    MergeTangled {
        /// Why.
        error: ReadError,
    },
}

impl FindingKind {
    /// How grave it is.
    pub fn severity(&self) -> Severity {
        self.code_and_severity().1
    }

    /// A name for programs, such as `missing-blob`; it stays the same when the words change.
    pub fn code(&self) -> &'static str {
        self.code_and_severity().0
    }

    /// The table of codes and severities. It has no default, so that a new kind cannot do without either.
    fn code_and_severity(&self) -> (&'static str, Severity) {
        use Severity::{Error, Note, Warning};
        match self {
            Self::MissingBlob => ("missing-blob", Error),
            Self::ShortBlob { .. } => ("short-blob", Error),
            Self::LongBlob { .. } => ("long-blob", Error),
            Self::WrongDigest { .. } => ("wrong-digest", Error),
            Self::UnreadableBlob { .. } => ("unreadable-blob", Error),
            Self::TooLarge { .. } => ("too-large", Error),
            Self::AboveImportLimit { .. } => ("above-import-limit", Warning),
            Self::ManifestUnreadable { .. } => ("manifest-unreadable", Error),
            Self::MissingManifest => ("missing-manifest", Warning),
            Self::TooManyManifests { .. } => ("too-many-manifests", Warning),
            Self::SkippedImage { reason: NoInlineCache::NoField } => ("skipped-image", Note),
            Self::SkippedImage { .. } => ("skipped-image", Error),
            Self::HistoryTooShort { .. } => ("history-too-short", Error),
            Self::ConfigUnreadable { .. } => ("config-unreadable", Error),
            Self::GraphUnsound { .. } => ("graph-unsound", Error),
            Self::LayerListMismatch { .. } => ("layer-list-mismatch", Warning),
            Self::LayerNotInConfig => ("layer-not-in-config", Warning),
            Self::DuplicateLayer { .. } => ("duplicate-layer", Warning),
            Self::UnreachableLayer => ("unreachable-layer", Warning),
            Self::MediaTypeMismatch { .. } => ("media-type-mismatch", Error),
            Self::UnknownMediaType { .. } => ("unknown-media-type", Warning),
            Self::NotDecompressible { .. } => ("not-decompressible", Error),
            Self::ExpansionLimit { .. } => ("expansion-limit", Error),
            Self::DiffIdMismatch { .. } => ("diff-id-mismatch", Error),
            Self::DiffIdMissing => ("diff-id-missing", Warning),
            Self::DiffIdInvalid { .. } => ("diff-id-invalid", Error),
            Self::DroppedResult { .. } => ("dropped-result", Error),
            Self::DuplicateRecord { .. } => ("duplicate-record", Warning),
            Self::RecordLeftOut => ("record-left-out", Warning),
            Self::GraphTangled { .. } => ("graph-tangled", Error),
            Self::MergeTangled { .. } => ("merge-tangled", Warning),
        }
    }
}

impl FindingKind {
    /// The words, with `subject` for a document or blob that has a defect as a whole. A manifest or config is no blob for
    /// users, and the place names it already: `it` is its subject.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, subject: &str) -> fmt::Result {
        match self {
            Self::MissingBlob => write!(f, "{subject} is missing; export the cache again"),
            Self::ShortBlob { expected, actual } => {
                write!(
                    f,
                    "{subject} is cut short: it has {}, not {}; export the cache again",
                    count(*actual, "byte"),
                    grouped(*expected)
                )
            }
            Self::LongBlob { expected, actual: Some(actual) } => {
                write!(
                    f,
                    "{subject} is too long: it has {}, not {}; export the cache again",
                    count(*actual, "byte"),
                    grouped(*expected)
                )
            }
            Self::LongBlob { expected, actual: None } => {
                write!(f, "{subject} goes on after its {}; export the cache again", count(*expected, "byte"))
            }
            Self::WrongDigest { actual } => {
                write!(f, "{subject} has other content, with the digest {actual}; export the cache again")
            }
            Self::UnreadableBlob { error } => write!(f, "{subject} cannot be read: {error}"),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "its {} are above the limit of {} for metadata; raise the limit to check it",
                    count(*size, "byte"),
                    grouped(*limit)
                )
            }
            Self::AboveImportLimit { size } => {
                write!(
                    f,
                    "it has {}, and BuildKit imports at most {}; a cache with fewer records is smaller (mode=min, or one for each target)",
                    count(*size, "byte"),
                    grouped(BUILDKIT_IMPORT_LIMIT)
                )
            }
            Self::ManifestUnreadable { error } => write!(f, "it cannot be read: {error}; export the cache again"),
            Self::MissingManifest => {
                f.write_str("the index lists it, but it is missing; a cache in it cannot be read")
            }
            Self::TooManyManifests { limit } => {
                write!(f, "it leads to more than {}; the others are not checked", count(*limit as u64, "manifest"))
            }
            Self::SkippedImage { reason } => write!(f, "{reason}"),
            Self::HistoryTooShort { steps, layers } => write!(
                f,
                "its history has {} with a layer, but the image has {}, and buildkitd 0.32 crashes when it imports that; build the image again without changing its layers afterwards",
                count(*steps as u64, "step"),
                count(*layers as u64, "layer")
            ),
            Self::ConfigUnreadable { error } => write!(f, "it cannot be read: {error}; export the cache again"),
            Self::GraphUnsound { error } => {
                write!(f, "it makes no sense, so nothing can be imported: {error}; export the cache again")
            }
            Self::LayerListMismatch { listed, config, position } => write!(
                f,
                "it lists {}, the config has {}, and the first difference is at position {position}; BuildKit finds them by digest all the same",
                count(*listed as u64, "layer"),
                grouped(*config as u64)
            ),
            Self::LayerNotInConfig => f.write_str(
                "the manifest lists it, but no layer of the config has this blob; nothing uses it",
            ),
            Self::DuplicateLayer { first } => {
                write!(f, "it has the blob and the parent of layer {first}; one of the two is redundant")
            }
            Self::UnreachableLayer => f.write_str("no result of a record reaches it; nothing uses it"),
            Self::MediaTypeMismatch { media_type, found } => {
                write!(f, "the media type is {media_type}, but the content is {found}; export the cache again")
            }
            Self::UnknownMediaType { media_type } if media_type.is_empty() => {
                f.write_str("it has no media type; some programs cannot read it; export the cache again with a known one")
            }
            Self::UnknownMediaType { media_type } => {
                write!(
                    f,
                    "{media_type} is no known media type of a layer; some programs cannot read it; export the cache again with a known one"
                )
            }
            Self::NotDecompressible { compression, reason } => {
                write!(f, "the content is not valid {compression}: {reason}; the layer cannot be unpacked; export the cache again")
            }
            Self::ExpansionLimit { limit } => {
                write!(
                    f,
                    "it has more than {} when decompressed, the limit; its diff ID is not checked",
                    count(*limit, "byte")
                )
            }
            Self::DiffIdMismatch { expected, actual } => {
                write!(
                    f,
                    "the diff ID should be {expected}, but the content has {actual}; the layer cannot be used; export the cache again"
                )
            }
            Self::DiffIdMissing => f.write_str("it has no diff ID, and BuildKit does not use such a layer"),
            Self::DiffIdInvalid { text } => {
                write!(f, "its diff ID {text:?} is no digest, and BuildKit does not use such a layer; export the cache again")
            }
            Self::DroppedResult { layer, blob: Some(blob) } => write!(
                f,
                "a result is lost on import: its layer {layer} has the blob {blob}, which the manifest does not list"
            ),
            Self::DroppedResult { layer, blob: None } => {
                write!(f, "a result is lost on import: its layer {layer} names no blob")
            }
            Self::DuplicateRecord { distinct } => {
                write!(f, "they mean the same and count as {}; merging the cache unites them", grouped(*distinct as u64))
            }
            Self::RecordLeftOut => f.write_str(
                "it is left out on import: all links of one of its inputs close cycles or lead to records that are left out",
            ),
            Self::GraphTangled { error } => write!(f, "nothing can be imported: {error}"),
            Self::MergeTangled { error } => {
                write!(f, "BuildKit can import it, but it cannot be merged with other caches: {error}")
            }
        }
    }
}

/// The words about a blob.
impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "the blob")
    }
}
