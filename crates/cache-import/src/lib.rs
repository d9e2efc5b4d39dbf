//! From a name to chains: importing BuildKit remote caches.
//!
//! [`open`] resolves a name and reads the manifest; [`open_resolved`] is for a name that was resolved before. [`OpenedCache::import`] reads the config that it names, or the inline
//! caches of images, into [`CacheChains`](cache_model::CacheChains). [`contents`] reads everything behind a name, be it a
//! cache or not.
//!
//! Metadata is read up to a limit and verified; layers are never read. It never prints and never writes.
//!
//! A solver on one machine exports the step that it has built; on another machine it imports the cache and asks for the
//! step, by the same digest and output:
//!
//! ```
//! use cache_export::{Destination, export};
//! use cache_import::open;
//! use cache_ingest::{Job, MemoryStore, Name};
//! use cache_keys::CacheKeys;
//! use cache_model::{CacheChains, MediaType, NewResult, RecordDigest, Timestamp};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let (build, cache, job) = (MemoryStore::new(), MemoryStore::new(), Job::default());
//! let name = Name::Tag("main".into());
//!
//! // Add and export.
//! let layer = build.insert(MediaType::OCI_LAYER_GZIP, "a layer");
//! let mut chains = CacheChains::new();
//! let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
//! chains.add(&RecordDigest::of_output("sha256:step", 0), &[], &[result])?;
//! export(&chains, &build, &Destination::new(&cache, &name), &job).await?;
//!
//! // Import, ask, hit.
//! let imported = open(&cache, &name, &job).await?.import(&cache, &job).await?;
//! let keys = CacheKeys::new(imported.into_chains()?)?;
//! let step = keys.find("sha256:step", 0, &[]);
//! assert!(step.is_cached());
//! assert_eq!(step.results().next().expect("it is cached").layers()[0].digest, layer.digest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contents;
mod error;
mod import;
mod imported;
mod inline;
mod open;

pub use contents::{Contents, contents};
pub use error::ImportError;
pub use imported::{Image, ImportWarning, Imported, ImportedCache};
pub use open::{OpenedCache, open, open_resolved};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
