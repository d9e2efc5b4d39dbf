//! The bytes of BuildKit remote caches.
//!
//! Cache configs, manifests and indexes, image configs with inline caches, and records as JSON lines: read as Go
//! reads JSON, written as Go writes it, to the byte. At its edge stand the types of `oci-spec`.
//!
//! It is pure: it never opens a file or a connection, and knows nothing of async.

mod config;
mod error;
mod forms;
mod image;
mod json;
mod manifest;
mod records;

/// BuildKit does not import a cache whose config or manifest has more bytes than this.
pub const BUILDKIT_IMPORT_LIMIT: u64 = 1 << 20;

pub use config::decode::decode_config;
pub use config::encode::{encode_config, encode_records};
pub use error::{FormatError, FormatErrorKind};
pub use forms::cache_manifest::{BuiltManifest, CacheManifest, Form, ManifestWarning, build_manifest};
pub use forms::cache_origin::CacheOrigin;
pub use image::config::{HistoryEntry, ImageConfig};
pub use image::inline_read::{InlineCache, InlineOutcome, NoInlineCache, read_inline};
pub use image::inline_write::write_inline;
pub use manifest::document::{Document, ImageIndex, ImageManifest};
pub use manifest::{descriptor_from_oci, descriptor_to_oci};
pub use records::{RECORDS_SCHEMA, RecordLine, RecordLink, RecordResult, decode_record_line};
