//! Why a layer's content cannot be decompressed.

use std::error::Error;
use std::fmt;

use cache_model::count;

/// Why decompression did not reach the end of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeFailure {
    /// The content cannot be decompressed.
    Undecodable(Undecodable),
    /// It has more bytes than the limit.
    Limit {
        /// The limit in bytes.
        limit: u64,
    },
}

/// Why content cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// It does not begin as content of its compression does.
    NotCompressed,
    /// It ends early, though the blob is the one that the descriptor says.
    Truncated,
    /// Something follows its end.
    TrailingData,
    /// It is damaged, or asks for what is not supported.
    Invalid {
        /// What the decoder says.
        reason: String,
    },
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(reason) => reason.fmt(f),
            Self::Limit { limit } => write!(f, "it has more than {}", count(*limit, "byte")),
        }
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCompressed => f.write_str("it does not begin as such content does"),
            Self::Truncated => f.write_str("it ends early"),
            Self::TrailingData => f.write_str("something follows its end"),
            Self::Invalid { reason } => f.write_str(reason),
        }
    }
}

impl Error for DecodeFailure {}

impl Error for Undecodable {}
