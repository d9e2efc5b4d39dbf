//! The crate from outside: real caches, BuildKit's vectors, laws as properties, and the messages of bad input.
//!
//! Data lies in the workspace's `tests/fixtures` and `tests/vectors`; nothing is fetched and nothing is written.

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
mod inline_write;
mod lenient;
#[cfg(feature = "oci-spec")]
mod oci;
mod properties;
mod schema;
mod snapshots;
mod vectors;
