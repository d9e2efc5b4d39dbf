//! The use of a target: a cache is read from it, or written to it.
//!
//! The same text may name different attributes in each role.

use std::fmt;

/// The use of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A cache is read from it.
    Source,
    /// A cache is written to it.
    Destination,
}

impl Role {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }

    /// The attribute that holds the path of a local folder.
    pub(crate) fn path_key(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dest",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}
