//! Tests of the program: one process runs them all, so one that waits holds up no other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and says what it counted or skipped"
)]

mod support;

mod action;
mod appending;
mod builds;
mod content;
mod differences;
mod doctor;
mod edit;
mod happy;
mod image;
mod inline;
mod interrupted;
mod labels;
mod layers;
mod list;
mod live_inline;
mod man;
mod merging;
mod names;
mod predict;
mod progress;
mod registry;
mod salvage;
mod terminal;
mod together;
mod troubleshooting;
mod why;
mod why_live;
mod why_truth;
mod wrong;
