//! Compressed layers: the tar inside, its diff ID, and limits against bombs.
//!
//! [`read_layer`] reads a layer's blob once. It verifies the bytes, decompresses them on another thread, hashes them and
//! drops them. So it needs memory for a few chunks, however large the layer is. The first bytes of a layer say whether it
//! is Gzip, Zstandard or plain tar. [`read_layer_with`] hands the tar to a consumer in the same pass, and [`Decoder`] is the
//! decompression alone, as a reader.
//!
//! It never trusts a media type, and never writes.
//!
//! ```
//! use cache_compress::{DEFAULT_MAX_EXPANSION, read_layer};
//! use cache_ingest::{Job, MemoryStore, Source};
//! use cache_model::{Algorithm, Compression, MediaType};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let mut tar = vec![0; 1024];
//! tar[257..262].copy_from_slice(b"ustar");
//! let store = MemoryStore::new();
//! let layer = store.insert(MediaType::OCI_LAYER_TAR, tar);
//! let source = Source::new(&store, layer.clone(), &Job::default());
//! let content = read_layer(&source, &[Algorithm::Sha256], DEFAULT_MAX_EXPANSION).await.content?;
//! assert_eq!(content.compression, Some(Compression::Uncompressed));
//! // A layer that is not compressed has its digest for its diff ID.
//! assert_eq!(content.diff_ids, Ok(vec![layer.digest]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunks;
mod content;
mod decoder;
mod gunzip;
mod peek;
mod read;
mod undecodable;
mod unzstd;

pub use content::LayerContent;
pub use decoder::Decoder;
pub use read::{LayerRead, read_concurrency, read_layer, read_layer_with};
pub use undecodable::{DecodeFailure, Undecodable};

/// How many bytes a compressed layer may have when it is decompressed, unless the caller sets another limit: 64 GiB.
pub const DEFAULT_MAX_EXPANSION: u64 = 64 << 30;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
