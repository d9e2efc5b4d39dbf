//! Findings about BuildKit remote caches.
//!
//! [`verify`] checks everything behind a name: the manifest, the cache config and its graph, and each layer's blob by its
//! digest and, decompressed, by its diff ID. Of images it checks the caches inside. A defect is a [`Finding`], and the
//! checks go on. [`damaged_blobs`] only looks for blobs that are missing or damaged.
//!
//! It never prints, never writes, and never holds a blob in memory.
//!
//! ```
//! use cache_format::{Form, pack};
//! use cache_ingest::{Expect, Job, MemoryStore, Name, Publisher};
//! use cache_model::{CacheChains, Descriptor, MediaType, NewResult, RecordDigest, Timestamp};
//! use cache_verify::{VerifyOptions, verify};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // A cache whose layer was lost.
//! let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer");
//! let mut chains = CacheChains::new();
//! let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
//! chains.add(&RecordDigest::of_output("sha256:step", 0), &[], &[result])?;
//! let packed = pack(Form::Manifest, &chains.marshal(&|_| true)?.config, &[layer])?;
//! let store = MemoryStore::new();
//! for document in &packed.metadata {
//!     store.insert(document.descriptor.media_type.clone(), document.bytes.clone());
//! }
//! let (root, name) = (&packed.root, Name::Tag("main".into()));
//! store.publish(&name, &root.descriptor, root.bytes.clone(), Expect::Any).await?;
//!
//! let report = verify(&store, &name, &VerifyOptions::default(), &Job::default()).await?;
//! assert!(!report.is_sound());
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
