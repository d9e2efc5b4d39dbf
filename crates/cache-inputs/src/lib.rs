//! What explains a BuildKit remote cache, read from where users have it: build records in all their forms, contexts with
//! their ignore files, and layers as trees.
//!
//! It hands them to `cache-explain` as data. Nothing is ever unpacked to a disk.

mod added_file;
mod also;
mod context;
mod label;
mod layer;
mod layer_options;
mod record;
mod tar;

pub use added_file::read_added_file;
pub use also::AlsoHeaders;
pub use context::{ContextError, ContextOptions, IgnoreFile, read_context};
pub use label::{Label, LabelError, find_labels, publish_label};
pub use layer::{LayerRead, LayerReadError, read_layer_tree};
pub use layer_options::{KeptFiles, LayerOptions};
pub use record::{RecordError, attached_builds, read_builds};
pub use tar::{TarError, read_tar};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
