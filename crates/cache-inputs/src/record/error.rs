//! What is wrong with a build record.

use std::fmt;

use cache_format::FormatError;
use cache_keys::DefinitionError;
use cache_model::OneLine;

/// Why a build record cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The text is not JSON.
    #[error("the build record is not JSON: {0}")]
    Json(String),
    /// A JSON document of another kind.
    #[error(
        "this is no build record: it should be a provenance predicate, an in-toto statement, a metadata file of buildx or a .dockerbuild file"
    )]
    Unknown,
    /// Provenance without steps.
    #[error(
        "the build record has no steps: build with provenance in mode max (`--provenance mode=max`, for a metadata file BUILDX_METADATA_PROVENANCE=max)"
    )]
    NoSteps,
    /// A record of a build that failed before it had any provenance.
    #[error("the build record has no provenance: the build failed too early")]
    NoProvenance,
    /// An image without provenance.
    #[error(
        "the image has no build record attached: build it with provenance in mode max (`--provenance mode=max`)"
    )]
    NotAttached,
    /// A store that does not give a record.
    #[error("the build record cannot be read: {0}")]
    Store(#[from] cache_ingest::Error),
    /// An entry of the builder's history, which names its provenance by a digest.
    #[error(
        "this entry of the builder's history only names the build record: get it with `buildctl debug get {digest}`"
    )]
    OnlyNamed {
        /// The digest of the provenance.
        digest: String,
    },
    /// A part that has another form than BuildKit gives it.
    #[error("the build record is damaged: {part}")]
    Damaged {
        /// The part, and what is wrong with it.
        part: String,
    },
    /// Steps that do not follow one another.
    #[error("the build record is damaged: {0}")]
    Order(#[from] DefinitionError),
}

impl RecordError {
    #[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
    pub(crate) fn not_json(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }

    /// `part` may quote the record, so it is brought on one line.
    pub(crate) fn damaged(part: impl fmt::Display) -> Self {
        Self::Damaged { part: OneLine(part).to_string() }
    }
}

impl From<FormatError> for RecordError {
    /// The fault in a manifest or an index on the way to the record.
    fn from(fault: FormatError) -> Self {
        Self::damaged(fault.to_string())
    }
}
