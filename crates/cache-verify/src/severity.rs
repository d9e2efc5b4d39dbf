//! How grave a finding is, in three steps.
//!
//! Only the last of them makes a cache unsound.

use std::fmt;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, and harmless.
    Note,
    /// The cache works, but not as whoever made it would expect, or not everywhere.
    Warning,
    /// Something is wrong: content is missing, false, or lost on import. Only this makes a cache unsound.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
