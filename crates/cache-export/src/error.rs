//! Why a cache cannot be exported.

use std::error::Error as StdError;
use std::fmt;

use cache_compress::DecodeFailure;
use cache_format::{FormatError, FormatErrorKind};
use cache_ingest::{Error, ErrorKind, Step};
use cache_model::{Descriptor, Digest, ReadError};
use cache_target::TargetError;

/// Why a cache cannot be exported. One line each; nothing was published.
///
/// The line has the text of the cause, so [`source`](StdError::source) is the cause of that cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// The store cannot say which layers are present.
    Store(Error),
    /// A blob cannot be written; the error says on which side.
    Write {
        /// The step that writes the blob.
        step: Step,
        /// The cause.
        error: Error,
    },
    /// The config or the manifest cannot be read or built.
    Format(FormatError),
    /// The records cannot be read.
    Graph(ReadError),
    /// A layer of the config has no descriptor.
    MissingBlob {
        /// The digest of the blob.
        digest: Digest,
        /// The position of the layer.
        layer: usize,
    },
    /// A layer states no diff ID, which the form needs, and its content gives none.
    NoDiffId {
        /// The layer's blob.
        layer: Box<Descriptor>,
        /// Why its content cannot be decompressed.
        cause: DecodeFailure,
    },
    /// The target was opened as a source.
    ReadOnly {
        /// The target.
        location: String,
    },
    /// The target cannot be opened.
    Target(TargetError),
}

impl ExportError {
    /// The kind of the store's failure; [`ErrorKind::Corrupt`] for content that makes no sense,
    /// [`ErrorKind::Invalid`] for a target that makes no sense.
    pub fn kind(&self) -> ErrorKind {
        if let Some(error) = self.store_error() {
            return error.kind();
        }
        match self {
            Self::NoDiffId { cause: DecodeFailure::Limit { .. }, .. } => ErrorKind::TooLarge,
            Self::Format(error) if error.kind() == FormatErrorKind::Unsupported => ErrorKind::Unsupported,
            Self::Format(_) | Self::Graph(_) | Self::MissingBlob { .. } | Self::NoDiffId { .. } => {
                ErrorKind::Corrupt
            }
            Self::ReadOnly { .. } | Self::Target(TargetError::Usage { .. }) => ErrorKind::Invalid,
            _ => ErrorKind::Unsupported,
        }
    }

    /// The failure of a store, if that is the cause.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) | Self::Write { error, .. } | Self::Target(TargetError::Store(error)) => {
                Some(error)
            }
            _ => None,
        }
    }

    pub(crate) fn write(step: Step, error: Error) -> Self {
        Self::Write { step, error }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Write { step, error } => write!(f, "error writing {} blob: {error}", noun(*step)),
            Self::Format(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
            Self::MissingBlob { digest, layer } => write!(
                f,
                "missing blob {digest}: layer {layer} of the config has it, but the manifest lists no descriptor of it"
            ),
            Self::NoDiffId { layer, cause } => write!(
                f,
                "layer {} ({}) states no diff ID, which an image needs, and its content gives none: {cause}",
                layer.digest, layer.media_type
            ),
            Self::ReadOnly { location } => write!(f, "{location} was opened to be read, not written"),
            Self::Target(error) => error.fmt(f),
        }
    }
}

impl StdError for ExportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Store(error) | Self::Write { error, .. } => error.source(),
            Self::Target(error) => error.source(),
            Self::Format(error) => error.source(),
            Self::Graph(error) => error.source(),
            Self::MissingBlob { .. } | Self::NoDiffId { .. } | Self::ReadOnly { .. } => None,
        }
    }
}

/// The words of BuildKit's errors.
fn noun(step: Step) -> &'static str {
    match step {
        Step::Layer => "layer",
        Step::Config => "config",
        _ => "manifest",
    }
}

#[cfg(test)]
mod tests {
    use cache_model::MediaType;

    use super::*;

    #[test]
    fn each_error_has_one_line_and_a_kind_to_act_on() {
        let store = || Error::new(ErrorKind::Denied, "put", "a blob", "no");
        let usage = TargetError::Usage { attribute: None, message: "bad".to_owned() };
        let digest = Digest::sha256([7; 32]);
        let line = format!(
            "missing blob {digest}: layer 2 of the config has it, but the manifest lists no descriptor of it"
        );
        let layer = Box::new(Descriptor::new(MediaType::OCI_LAYER_ZSTD, digest, 1));
        let no_diff_id = format!(
            "layer {digest} (application/vnd.oci.image.layer.v1.tar+zstd) states no diff ID, which an image needs, and its content gives none: it has more than 9 bytes"
        );
        for (error, kind, text) in [
            (ExportError::Store(store()), ErrorKind::Denied, "put a blob: no"),
            (
                ExportError::write(Step::Layer, store()),
                ErrorKind::Denied,
                "error writing layer blob: put a blob: no",
            ),
            (
                ExportError::write(Step::Config, store()),
                ErrorKind::Denied,
                "error writing config blob: put a blob: no",
            ),
            (
                ExportError::write(Step::Manifest, store()),
                ErrorKind::Denied,
                "error writing manifest blob: put a blob: no",
            ),
            (ExportError::Target(TargetError::Store(store())), ErrorKind::Denied, "put a blob: no"),
            (ExportError::Target(usage), ErrorKind::Invalid, "bad"),
            (ExportError::MissingBlob { digest, layer: 2 }, ErrorKind::Corrupt, line.as_str()),
            (
                ExportError::NoDiffId { layer, cause: DecodeFailure::Limit { limit: 9 } },
                ErrorKind::TooLarge,
                no_diff_id.as_str(),
            ),
            (
                ExportError::ReadOnly { location: "./cache".to_owned() },
                ErrorKind::Invalid,
                "./cache was opened to be read, not written",
            ),
        ] {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.kind(), kind, "{text}");
            assert_eq!(error.store_error().is_some(), kind == ErrorKind::Denied, "{text}");
            assert!(error.source().is_none(), "{text}: the line has the cause");
        }
    }
}
