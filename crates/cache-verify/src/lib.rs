//! Findings about BuildKit remote caches.
//!
//! [`verify`] checks everything behind a name: the manifest, the cache config and its graph, and each layer's blob by its
//! digest and, decompressed, by its diff ID. Of images it checks the caches inside. A defect is a [`Finding`], and the
//! checks go on. [`damaged_blobs`] only looks for blobs that are missing or damaged.
//!
//! It never prints, never writes, and never holds a blob in memory.
//!
//! ```
//! use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
//! use cache_verify::{VerifyOptions, verify};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/app-max-manifest-oci-gzip");
//! let store = LayoutStore::open(folder, LayoutOptions::default()).await?;
//! let report = verify(&store, &Name::Unspecified, &VerifyOptions::default(), &Job::default()).await?;
//! assert!(report.is_sound());
//! for finding in &report.findings {
//!     println!("{}: {finding}", finding.severity());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blob;
mod cache_findings;
mod damage;
mod error;
mod finding;
mod graph;
mod kind;
mod layer_reader;
mod layers;
mod metadata;
mod needs;
mod options;
mod report;
mod severity;
mod verify;
mod walk;

pub use damage::{DamagedBlob, damaged_blobs};
pub use error::VerifyError;
pub use finding::{Finding, Place};
pub use kind::FindingKind;
pub use layer_reader::{LayerDone, LayerReader, LayerTask};
pub use options::VerifyOptions;
pub use report::Report;
pub use severity::Severity;
pub use verify::{verify, verify_with};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
