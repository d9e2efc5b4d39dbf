//! Build records of any shape, layers and contexts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod archive;
#[cfg(target_os = "linux")]
mod contexts;
#[cfg(target_os = "linux")]
mod programs;
mod record_ops;
mod records;
mod stored_layers;
mod tars;
