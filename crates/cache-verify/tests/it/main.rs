//! Caches that are right, and caches with one thing wrong at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]

mod blobs;
mod bounds;
mod config;
mod content;
mod damage;
mod reader;
mod store;
mod support;
