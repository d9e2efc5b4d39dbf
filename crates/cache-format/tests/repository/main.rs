//! The crate from outside, beside the fixtures and vectors of this repository, which the package does not have: real caches, BuildKit's
//! vectors, laws as properties.
//!
//! Nothing is fetched and nothing is written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop where it fails"
)]

mod data;
mod fixtures;
mod inline;
mod inline_form;
#[cfg(feature = "oci-spec")]
mod oci;
mod properties;
mod schema;
mod vectors;
