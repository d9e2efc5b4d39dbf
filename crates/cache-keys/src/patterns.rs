//! Which paths a text means: the wildcards of a source path, and the patterns of ignore files and of includes and excludes.
//!
//! Two languages with one look: wildcards are Go's `path.Match`, patterns are those of moby/patternmatcher.

mod path_pattern;
mod pattern_error;

pub(crate) use path_pattern::PathPattern;
pub use path_pattern::{has_wildcard, path_match};
pub use pattern_error::PatternError;
