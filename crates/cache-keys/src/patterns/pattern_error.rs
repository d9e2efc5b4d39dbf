//! Why a pattern means nothing.

use cache_model::OneLine;

/// Why a wildcard or a pattern cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The syntax is wrong. BuildKit refuses the pattern, too.
    #[error("the pattern {:?} is malformed: {}", OneLine(.pattern).to_string(), OneLine(.reason))]
    Malformed {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are more patterns than anyone writes.
    #[error("{count} patterns are too many: at most {most} are matched")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
}

impl PatternError {
    pub(crate) fn malformed(pattern: &str, reason: impl Into<String>) -> Self {
        Self::Malformed { pattern: pattern.to_owned(), reason: reason.into() }
    }
}
