//! The bytes of BuildKit remote caches.
//!
//! Cache configs, manifests and indexes, image configs with inline caches, and records as JSON lines: read as Go
//! reads JSON, written as Go writes it, to the byte. The feature `oci-spec`, on by default, adds conversions to and
//! from the types of that crate.
//!
//! [`pack`] turns a config and its layers into the blobs to store, in the order of writing; [`unpack`] turns the root
//! document into a cache again. [`read_inline`] reads the cache inside an image, be it one that `pack` wrote
//! ([`Form::Inline`]); [`write_inline`] writes the cache for an image that a build has made.
//!
//! It is pure: it never opens a file or a connection, and knows nothing of async. A tool that writes caches by its own
//! means needs no other crate but `cache-model`:
//!
//! ```
//! use cache_format::{Form, Unpacked, decode_config, pack, unpack};
//! use cache_model::{CacheChains, Descriptor, MediaType, NewResult, RecordDigest, Timestamp};
//!
//! let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, "the bytes of a layer");
//! let mut chains = CacheChains::new();
//! let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
//! chains.add(&RecordDigest::of_output("sha256:step", 0), &[], &[result])?;
//! let marshalled = chains.marshal(&|_| true)?;
//! let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
//!
//! let packed = pack(Form::Index, &marshalled.config, &layers)?;
//! for layer in &packed.layers {
//!     println!("copy {}", layer.digest);
//! }
//! for document in packed.metadata.iter().chain([&packed.root]) {
//!     println!("write {} bytes as {}", document.bytes.len(), document.descriptor.digest);
//! }
//!
//! let Unpacked::Cache(cache) = unpack(&packed.root.descriptor, &packed.root.bytes)? else { panic!("no cache") };
//! assert_eq!(cache.layers, layers);
//! assert_eq!(decode_config(&packed.metadata[0].bytes)?, marshalled.config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod error;
mod forms;
mod image;
mod json;
mod manifest;
mod records;

/// The most bytes of a cache config or of a manifest that BuildKit imports. For the config of an image it has no limit.
pub const BUILDKIT_IMPORT_LIMIT: u64 = 1 << 20;

pub use config::decode::decode_config;
pub use config::encode::{encode_config, encode_records};
pub use error::{FormatError, FormatErrorKind};
pub use forms::cache_manifest::CacheManifest;
pub use forms::cache_origin::CacheOrigin;
pub use forms::form::Form;
pub use forms::not_a_cache::{ForeignContent, NotACache};
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

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
