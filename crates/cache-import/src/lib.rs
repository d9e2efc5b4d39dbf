//! From a name to chains: importing BuildKit remote caches.
//!
//! [`open`] resolves a name and reads the manifest; [`OpenedCache::import`] reads the config behind it, or the inline
//! caches of the images behind it, into [`CacheChains`](cache_model::CacheChains). [`contents`] reads what a name
//! stands for, cache or not.
//!
//! Metadata is read up to a limit and verified; layers are never read. It never prints and never writes.
//!
//! ```
//! use cache_import::open;
//! use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/app-max-manifest-oci-gzip");
//! let store = LayoutStore::open(folder, LayoutOptions::default()).await?;
//! let job = Job::default();
//! let opened = open(&store, &Name::Unspecified, &job).await?;
//! let imported = opened.import(&store, &job).await?;
//! assert_eq!(imported.caches.len(), 1);
//! let graph = imported.caches[0].chains.graph()?;
//! assert_eq!(graph.len(), 22);
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
pub use open::{OpenedCache, open};
