//! The rules for adding, closing and marshalling records, for merging, keeping and comparing caches, and for content
//! checksums and patterns, slow and simple: maps and sets, and nothing is cached.
//!
//! The reference is written from the description of BuildKit's behaviour and from the definitions of what is done with
//! caches. It shares no code with the crates, so that laws and fuzz targets can compare the two.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a reference that breaks down fails the test that uses it"
)]

mod add;
mod blob;
mod cache;
mod closed;
mod content;
mod diff;
mod generate;
mod instant;
mod keep;
mod marshal;
mod merge;
mod record;
mod reference;

pub use add::{Add, Layer, Link, Outcome};
pub use blob::{Blob, Blobs, SizeConflict};
pub use cache::Cache;
pub use content::{
    ContentEntry, ContentKind, ContentSelection, ContentTree, Failed, Verdict, content_checksum,
    ignore_patterns, path_match, pattern_verdict, sent,
};
pub use diff::{DiffRow, diff};
pub use generate::build::{BuildOutcome, build};
pub use generate::configs::hostile_sources;
pub use generate::content::{random_patterns, random_selection, random_tree};
pub use generate::dice::Dice;
pub use generate::world::World;
pub use instant::{instant, last_instant};
pub use keep::{Limits, Selection, complete, keep, limited, newest};
pub use marshal::{Exported, leave_out, marshal};
pub use merge::{MergeOptions, Merged, merge};
pub use record::{Details, Record, Records, ResultKey};
pub use reference::{Reference, Refused};
