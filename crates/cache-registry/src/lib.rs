//! BuildKit remote caches in registries: the stores of `cache-ingest` over the OCI distribution API.
//!
//! A [`Client`] holds the connections, tokens and limits for all registries. A [`RegistryStore`] is one repository: it
//! reads and pushes blobs, and resolves, publishes, lists and removes manifests. Credentials are those that Docker and Podman store,
//! unless [`ClientOptions`] provides some. [`RegistryScheme`] opens targets that users type. Everything needs a Tokio
//! runtime.
//!
//! This crate knows nothing of caches, and never prints. An export from a build to a registry:
//!
//! ```no_run
//! use cache_export::{Destination, METADATA_MANIFEST, export};
//! use cache_ingest::{Job, MemoryStore};
//! use cache_model::{CacheChains, MediaType, NewResult, RecordDigest, Timestamp};
//! use cache_registry::{Client, ClientOptions, RegistryStore};
//! use cache_target::Reference;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // What a build made: layers somewhere, and records that say which step gave which.
//! let build = MemoryStore::new();
//! let blob = build.insert(MediaType::OCI_LAYER_TAR, "a layer");
//! let mut chains = CacheChains::new();
//! let layer = chains.layers([&blob])?;
//! let step = RecordDigest::of_output("sha256:step", 0);
//! chains.add(&step, &[], &[NewResult { created_at: Timestamp::ZERO, layer }])?;
//!
//! let reference: Reference = "registry.example.com/team/app:cache".parse()?;
//! // The client and the export share one budget of retries.
//! let job = Job::default();
//! let client = Client::new(ClientOptions::default().with_job(job.clone()))?;
//! let store = RegistryStore::new(&client, reference.repository()).for_push();
//! let name = reference.name();
//! let exported = export(&chains, &build, &Destination::new(&store, &name), &job).await?;
//! println!("{}", exported.metadata()[METADATA_MANIFEST]);
//! # Ok(())
//! # }
//! ```

mod auth;
mod call;
mod client;
mod credentials;
mod docker_folder;
mod endpoint;
mod error;
mod error_response;
mod http;
mod lock;
mod options;
mod pages;
mod protocol;
mod publish;
mod pull;
mod push;
mod referrers;
mod remove;
mod repository;
mod resolve;
mod scheme;
mod shared_attempt;
mod store;
mod tags;
mod text;
mod upload;

pub use client::Client;
pub use credentials::{Credentials, Secret};
pub use options::{ClientCertificate, ClientOptions};
pub use scheme::RegistryScheme;
pub use store::RegistryStore;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
