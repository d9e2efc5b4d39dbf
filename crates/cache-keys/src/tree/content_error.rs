//! Why a content checksum cannot be computed.

use std::fmt;

use cache_model::OneLine;

use crate::patterns::PatternError;

/// Why the content that a rule selects has no checksum. BuildKit fails the step for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// No entry stands at the path, or at the path that a link on the way leads to.
    #[error("{0} is not among the files of the input")]
    NotFound(TreePath),
    /// More links than BuildKit follows; nearly always they lead in a circle.
    #[error("{0} leads through more than 255 symbolic links: remove the link that leads in a circle")]
    TooManyLinks(TreePath),
    /// BuildKit hashes names that begin with the byte 0xff again for the folder above theirs. These are too many.
    #[error(
        "the paths below one folder whose names begin with the byte 0xff have more than {most} bytes: rename the files"
    )]
    TooManyRepeats {
        /// How many bytes they may have.
        most: usize,
    },
    /// A wildcard or a pattern cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// A path for a message: on one line, and readable if it is no UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TreePath(pub Vec<u8>);

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", OneLine(String::from_utf8_lossy(self.0.strip_prefix(b"/").unwrap_or(&self.0))))
    }
}
