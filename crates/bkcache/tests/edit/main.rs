//! The commands that drop parts of a cache, and the one that compares two caches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod builds;
mod diff;
mod in_place;
mod prune;
mod repair;
mod vectors;
