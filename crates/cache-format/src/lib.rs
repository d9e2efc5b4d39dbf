//! The bytes of BuildKit remote caches.
//!
//! Cache configs, manifests and indexes, image configs with inline caches, and records as JSON lines: read as Go
//! reads JSON, written as Go writes it, to the byte. At its edge stand the types of `oci-spec`.
//!
//! It is pure: it never opens a file or a connection, and knows nothing of async.

mod config_decode;
mod config_encode;
mod descriptor;
mod document;
mod document_read;
mod error;
mod image;
mod indent;
mod inline;
mod inline_write;
mod manifest;
mod oci;
mod read;
mod records;
mod sanitize;
mod scalar;

/// BuildKit does not import a cache whose config or manifest has more bytes than this.
pub const BUILDKIT_IMPORT_LIMIT: u64 = 1 << 20;

pub use config_decode::decode_config;
pub use config_encode::{encode_config, encode_records};
pub use document::{Document, ImageIndex, ImageManifest};
pub use error::{FormatError, FormatErrorKind};
pub use image::{HistoryEntry, ImageConfig};
pub use inline::{InlineCache, InlineOutcome, NoInlineCache, read_inline};
pub use inline_write::write_inline;
pub use manifest::{BuiltManifest, CacheManifest, Form, ManifestWarning, build_manifest};
pub use oci::{descriptor_from_oci, descriptor_to_oci};
pub use records::{RECORDS_SCHEMA, RecordLine, RecordLink, RecordResult, decode_record_line};
