//! The copy beside the fixtures of this repository and the providers of cache-conformance, which the package does not have:
//! cache-conformance is published after this crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, reason = "some files are shared, and each test program uses a part")]

#[path = "../it/faults.rs"]
mod faults;
mod fixtures;
mod provider_faults;
#[path = "../it/whole.rs"]
mod whole;
