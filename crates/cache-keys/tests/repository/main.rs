//! Content checksums beside files and crates of this repository, which the package does not have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod content_laws;
mod content_vectors;
#[path = "../../../../fuzz/targets/src/content_checksum/from_reference.rs"]
mod from_reference;
