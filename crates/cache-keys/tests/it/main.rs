//! Answers of an index of keys, against answers found by walking over everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod adds;
mod content_laws;
mod content_vectors;
mod find;
mod layer_oddities;
mod queries;
