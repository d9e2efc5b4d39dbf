//! Content checksums, what a client sends, and patterns, by their definitions (BuildKit's `cache/contenthash`,
//! tonistiigi/fsutil, moby/patternmatcher, Go's `path.Match`).

mod checksum;
mod go_regex;
mod path_match;
mod patterns;
mod sent;
mod tree;

pub use checksum::content_checksum;
pub use path_match::path_match;
pub use patterns::{Verdict, ignore_patterns, pattern_verdict};
pub use sent::sent;
pub use tree::{ContentEntry, ContentKind, ContentSelection, ContentTree};

/// BuildKit fails: a path leads nowhere, or a pattern has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;
