//! The fixtures of this repository, which the package does not have: as they are, and with one thing wrong at a time.
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
#![allow(dead_code, reason = "some files are shared, and each test program uses a part")]

mod fixtures;
mod images;
mod properties;
#[path = "../it/store.rs"]
mod store;
#[path = "../it/support.rs"]
mod support;
