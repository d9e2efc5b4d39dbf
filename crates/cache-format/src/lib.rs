//! The bytes of BuildKit remote caches.
//!
//! Cache configs, manifests and indexes, image configs with inline caches, and records as JSON lines: read as Go
//! reads JSON, written as Go writes it, to the byte. The feature `oci-spec`, on by default, adds conversions to and
//! from the types of that crate.
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
pub use forms::cache_manifest::CacheManifest;
pub use forms::cache_origin::CacheOrigin;
pub use forms::form::Form;
pub use forms::pack::{ManifestWarning, Packed, PackedBlob, pack};
pub use forms::unpack::{Unpacked, unpack};
pub use image::config::{HistoryEntry, ImageConfig};
pub use image::inline_read::{InlineCache, InlineOutcome, NoInlineCache, read_inline};
pub use image::inline_write::write_inline;
pub use manifest::document::{ImageIndex, ImageManifest, ManifestOrIndex};
pub use manifest::queue::ManifestQueue;
#[cfg(feature = "oci-spec")]
pub use manifest::{descriptor_from_oci, descriptor_to_oci};
pub use records::{RECORDS_SCHEMA, RecordLine, RecordLink, RecordResult, decode_record_line};
