//! What explains a BuildKit remote cache, read from where users have it: build records in all their forms, contexts with
//! their ignore files, and layers as trees.
//!
//! It hands them to `cache-explain` as data. Nothing is ever unpacked to a disk.

mod record;

pub use record::{RecordError, read_builds};
