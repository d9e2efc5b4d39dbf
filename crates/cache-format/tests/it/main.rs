//! The crate from outside: what it writes, and the messages of bad input. Nothing is fetched and nothing is written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop where it fails"
)]

mod inline_write;
mod lenient;
mod snapshots;
