//! How keys come to be, against texts that BuildKit hashes; and answers of an index of keys, against answers found by walking over
//! everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod adds;
mod content_entries;
mod definitions;
mod find;
mod hostile_content;
mod layer_oddities;
mod layers;
mod queries;
mod source_keys;
mod step_deps;
mod step_keys;
