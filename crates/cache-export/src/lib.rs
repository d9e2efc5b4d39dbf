//! From chains to a published cache: exporting BuildKit remote caches.
//!
//! An [`Exporter`] holds the records of a build and the provider of its layers; [`Exporter::finalize`] copies the
//! layers, then writes the config, then the manifest. [`republish`] copies a cache that exists already, in another
//! form if wanted. [`add_records`] takes a build's records as JSON lines. Nothing is named in the destination before
//! it is stored there.
//!
//! It reads layers through the provider only, never prints, and knows no store by name.
//!
//! ```
//! use cache_export::{Destination, Exporter, ExportOptions};
//! use cache_ingest::{Expect, Job, MemoryStore, Name};
//! use cache_model::{MediaType, NewResult, Timestamp};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let build = MemoryStore::new();
//! let blob = build.insert(MediaType::OCI_LAYER_TAR, "a layer");
//!
//! let mut exporter = Exporter::new(&build);
//! let layer = exporter.chains.layers([&blob])?;
//! exporter.chains.add(&"sha256:step".into(), &[], &[NewResult { created_at: Timestamp::ZERO, layer }])?;
//!
//! let cache = MemoryStore::new();
//! let to = Destination { store: &cache, name: &Name::Tag("latest".into()), expect: Expect::Any };
//! let exported = exporter.finalize(&to, &ExportOptions::default(), &Job::default()).await?;
//! assert!(exported.metadata()["cache.manifest"].contains("application/vnd.oci.image.manifest.v1+json"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod exporter;
mod publish;
mod records;
mod republish;
mod warning;

pub use error::ExportError;
pub use exporter::Exporter;
pub use publish::{Destination, ExportOptions, Exported};
pub use records::{RecordsError, RecordsRead, add_records};
pub use republish::{Existing, republish};
pub use warning::ExportWarning;
