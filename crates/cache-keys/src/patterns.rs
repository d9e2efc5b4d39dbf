//! Which paths a text means: the wildcards of a source path, and the patterns of ignore files and of includes and excludes.
//!
//! Two languages with one look: wildcards are Go's `path.Match`, patterns are those of moby/patternmatcher.

mod go_regex;
mod ignore_file;
mod path_pattern;
mod pattern;
mod pattern_error;
mod pattern_list;
mod sent_filter;

pub use ignore_file::ignore_patterns;
pub(crate) use path_pattern::PathPattern;
pub use path_pattern::{has_wildcard, path_match};
pub use pattern_error::PatternError;
pub use pattern_list::{PatternMatches, Patterns};
pub use sent_filter::{SentEntry, SentFilter, SentFolder};
