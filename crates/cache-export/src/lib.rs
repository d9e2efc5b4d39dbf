//! From chains to a published cache: exporting BuildKit remote caches.
//!
//! [`export`] copies the layers, then writes the config, then the manifest, which gets the name. [`republish`] copies
//! an existing cache, in another form if wanted. [`salvage`] exports what is left of a damaged one, and [`dry_run`] says what
//! it would write. [`add_records`] reads a build's records from JSON lines. Nothing is named in the destination before it is
//! stored there.
//!
//! A build engine holds a [`CacheExporter`] for each of its `--cache-to`: [`resolve_exporter`] makes one from attributes
//! as buildx takes them. [`Destination::of`] is the same for a target that is open already.
//!
//! Layers are read through the provider only. This crate never prints, and knows no store by name.
//!
//! ```
//! use std::sync::Arc;
//!
//! use cache_export::{Exporter, METADATA_MANIFEST, resolve_exporter};
//! use cache_ingest::{Job, MemoryStore};
//! use cache_model::{CacheChains, MediaType, NewResult, RecordDigest, Timestamp};
//! use cache_target::{Attributes, Role, Targets};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // A build has made a layer, the result of a step's first output. Step digests are shortened here.
//! let build = MemoryStore::new();
//! let blob = build.insert(MediaType::OCI_LAYER_TAR, "a layer");
//! let step = RecordDigest::of_output("sha256:step", 0);
//! let mut chains = CacheChains::new();
//! let layer = chains.layers([&blob])?;
//! chains.add(&step, &[], &[NewResult { created_at: Timestamp::ZERO, layer }])?;
//!
//! let folder = tempfile::tempdir()?;
//! let to = format!("type=local,dest={},image-manifest=false", folder.path().join("cache").display());
//! let attributes = Attributes::parse(&to, Role::Destination)?;
//! let exporter = resolve_exporter(&Targets::with_local(), &attributes, Arc::new(build)).await?;
//! let exported = exporter.finalize(&chains, &Job::default()).await?;
//! assert!(exported.metadata()[METADATA_MANIFEST].contains("application/vnd.oci.image.index.v1+json"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod destination;
mod diff_ids;
mod dry_run;
mod error;
mod export;
mod exported;
mod exporter;
mod lookup;
mod publish;
mod records;
mod republish;
mod salvage;
mod warning;

pub use destination::{Destination, form_of};
pub use dry_run::dry_run;
pub use error::ExportError;
pub use export::export;
pub use exported::{Exported, METADATA_MANIFEST};
pub use exporter::{CacheExporter, Exporter, resolve_exporter};
pub use records::{RecordsError, RecordsRead, add_records};
pub use republish::{ExistingCache, republish};
pub use salvage::salvage;
pub use warning::ExportWarning;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
