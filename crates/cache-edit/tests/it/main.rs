//! Editing caches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod comparing;
mod keeping;
mod laws;
mod repairing;
mod small;
