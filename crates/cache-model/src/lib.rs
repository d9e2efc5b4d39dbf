//! The graph of a BuildKit remote cache.
//!
//! A *record* is a cache key with its inputs and its results. An *input* is a list of links to alternative source
//! records; each *link* has a selector, which names the part of the source that counts. A *result* is a list of layers
//! and the time at which they were made. This crate holds such graphs, merges records as BuildKit does, and marshals them into a
//! [`CacheConfig`] in one canonical order.
//!
//! The digest of a record is not that of a build step. It is [`RecordDigest::of_output`], which hashes the step's digest
//! with the number of the output. A record that was added under the bare digest of a step is valid, but no solver finds
//! it. Short examples use short names in place of record digests.
//!
//! It is pure: it knows nothing of bytes on the wire, of files, of async, of serde.

#[doc(hidden)]
pub mod arena;
mod chains;
mod config;
mod graph;
mod marshal;
mod totals;
mod words;

pub use chains::load::{DroppedResult, LoadError, Loaded};
pub use chains::log::AddError;
pub use chains::{CacheChains, LayerId, Link, NewResult, RecordId, Rule};
pub use config::{
    CacheConfig, CacheConfigBuilder, ConfigChain, ConfigLayer, ConfigLink, ConfigRecord, ConfigResult,
    InputBuilder, LayerAnnotations, RecordBuilder,
};
pub use graph::budget::ReadError;
pub use graph::{Graph, LayerRef, LinkRef, RecordRef, ResultRef};
pub use marshal::{MarshalWarning, Marshalled};
pub use totals::Totals;
pub use words::descriptor::{
    ANNOTATION_CREATED_AT, ANNOTATION_DESCRIPTION, ANNOTATION_DIFF_ID, ANNOTATION_ESTARGZ_SIZE,
    ANNOTATION_ESTARGZ_TOC, ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, Annotations, Descriptor,
    DescriptorExtra, Platform, PlatformError,
};
pub use words::digest::{Algorithm, Digest, DigestError};
pub use words::json;
pub use words::media_type::{Compression, CompressionError, Dialect, MediaType};
pub use words::number::{count, duration, grouped};
pub use words::one_line::OneLine;
pub use words::record_digest::RecordDigest;
pub use words::timestamp::{Timestamp, TimestampError};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
