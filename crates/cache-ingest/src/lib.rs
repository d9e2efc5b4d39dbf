//! The async seams of a BuildKit remote cache's storage, the verified copy across them, and local stores.
//!
//! A store implements the traits that it can: [`Provider`], [`Ingester`], [`Resolver`], [`Publisher`], [`Remover`],
//! [`Lister`], [`Referrers`]. A [`ReadStore`] gives caches, a [`WriteStore`] takes them. [`copy()`] and [`copy_all`] bring verified blobs from a
//! provider to an ingester, [`presence`] asks which blobs exist, [`ProviderExt`] reads small ones whole. A [`Swap`] replaces the
//! manifest behind a name with what is made of it; [`add_manifest_name`] and [`remove_manifest_name`] change names alone.
//! [`LayoutStore::collect`] deletes what no name leads to. A [`Job`] bounds all of it and reports progress. The stores here are
//! [`MemoryStore`], [`LayoutStore`] (an OCI image layout in a folder),
//! [`BlobFolder`] (files named by digest), [`MultiProvider`] (several providers as one) and [`ReadOnce`] (small blobs are
//! read once).
//!
//! Stores on disk, and retries, need a Tokio runtime with time. Outside of a runtime they give an error. In a runtime that
//! was built without [time](https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.enable_time) they panic,
//! as Tokio does.
//!
//! This crate knows nothing of cache configs, of manifests only the digests in them, and nothing of a network. It never
//! prints.
//!
//! ```
//! use cache_ingest::{Job, MemoryStore, ProviderExt, Step, copy};
//! use cache_model::MediaType;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let (from, to) = (MemoryStore::new(), MemoryStore::new());
//! let layer = from.insert(MediaType::OCI_LAYER_TAR, "a layer");
//! let job = Job::default();
//! copy(Step::Layer, &layer, &from, &to, &job).await?;
//! assert_eq!(to.read(&layer, &job).await?, "a layer");
//! # Ok::<(), cache_ingest::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blob_folder;
mod copy;
mod error;
mod hash;
mod job;
mod layout;
mod media_type;
mod memory;
mod multi;
mod names;
mod random;
mod read_once;
mod referrer_list;
mod runtime;
mod seams;
mod swap;

pub use blob_folder::BlobFolder;
pub use copy::{Presence, Summary, Tally, copy, copy_all, copy_bytes, presence};
pub use error::{AboveMetadataLimit, Error, ErrorKind, Side};
pub use hash::Hasher;
pub use job::{BegunStep, Event, Job, Progress, Retries, RetryBudget, RetryPolicy, Step};
pub use layout::{
    CollectOptions, Collected, CollectedBlob, DiskHook, DiskOperation, LayoutEntry, LayoutOptions,
    LayoutStore, Leftover,
};
pub use media_type::stated_media_type;
pub use memory::MemoryStore;
pub use multi::MultiProvider;
pub use names::{OtherNames, Removal, RemoveOptions, add_manifest_name, remove_manifest_name};
pub use read_once::ReadOnce;
pub use referrer_list::ReferrerList;
pub use seams::{
    ByteStream, Expect, Info, Ingester, Listed, Lister, Mismatch, Name, NameStore, Origin, Provider,
    ProviderExt, Publisher, ReadStore, ReferrerStore, Referrers, Remover, Resolved, Resolver, Source,
    SourceReader, Standing, Stored, Verifier, WriteStore,
};
pub use swap::Swap;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
