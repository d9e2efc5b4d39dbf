//! The store against scripted registries with faults, and against real ones.
//!
//! Each fault ends in success or in one error that names the failure. Unverified content is never written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod auth;
mod live;
mod pull;
mod push;
mod scene;
mod tls;
mod waiting;
