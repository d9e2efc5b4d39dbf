//! The laws of [`Provider`], [`Ingester`], [`Resolver`], [`Publisher`], [`Lister`], [`Remover`] and [`Referrers`], to be run
//! against a store.
//!
//! Each law is a function in [`laws`]. [`run_all`] runs the laws of all traits that a store has, each on a fresh store;
//! [`assert_conforms`] does so in a test. [`Faulty`] and [`Down`] are providers with one fault, in their streams and
//! files. [`StrictStore`] is a store that refuses faulty requests that real stores accept. Nothing here knows a store by
//! name or prints, and no law panics.
//!
//! [`Provider`]: cache_ingest::Provider
//! [`Ingester`]: cache_ingest::Ingester
//! [`Resolver`]: cache_ingest::Resolver
//! [`Publisher`]: cache_ingest::Publisher
//! [`Lister`]: cache_ingest::Lister
//! [`Remover`]: cache_ingest::Remover
//! [`Referrers`]: cache_ingest::Referrers
//!
//! ```
//! use cache_conformance::{Store, assert_conforms};
//! use cache_ingest::{Error, MemoryStore};
//!
//! async fn fresh() -> Result<Store, Error> {
//!     Ok(Store::complete(MemoryStore::new()).with_sha512())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! assert_conforms(&fresh).await;
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blob;
mod faulty;
pub mod laws;
mod report;
mod run;
mod store;
mod strict;
mod violation;

pub use blob::Blob;
pub use faulty::{Down, Fault, Faulty};
pub use report::{Outcome, Report};
pub use run::{assert_conforms, run_all};
pub use store::{Factory, Store};
pub use strict::{Operation, StrictStore};
pub use violation::Violation;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
