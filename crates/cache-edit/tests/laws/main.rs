//! Laws of merging, keeping, repairing and comparing, on the caches of simulated builds and on hostile ones. The definitions
//! are those of the reference.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod keeping;
mod merging;
mod support;
