//! The error of this crate: the text is no target, cannot be honoured, or its store does not open.
//!
//! Schemes of other crates construct it, too.

use std::fmt::Display;

use cache_model::OneLine;

/// Why a target cannot be opened. Displays on one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The text is no target: bad quoting, an unknown type or attribute, a malformed value.
    #[error("{}", OneLine(.message))]
    Usage {
        /// The attribute that is wrong, if it is one.
        attribute: Option<String>,
        /// What is wrong, and what to write instead.
        message: String,
    },
    /// The text is a target, but this program cannot honour it.
    #[error("{}", OneLine(.message))]
    Unsupported {
        /// The attribute that cannot be honoured.
        attribute: String,
        /// The attribute, and the reason.
        message: String,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] cache_ingest::Error),
}

impl TargetError {
    /// The text is no target, for the reason that the message gives.
    pub fn usage(message: impl Display) -> Self {
        Self::Usage { attribute: None, message: message.to_string() }
    }

    /// A malformed value of an attribute. `expected` completes the sentence "expected …", as in `"true or false"`.
    pub fn malformed(key: &str, value: &str, expected: impl Display) -> Self {
        let message = format!("{key}={value}: expected {expected}");
        Self::Usage { attribute: Some(key.to_owned()), message }
    }

    /// A malformed value of an attribute, with an error that quotes the value.
    pub fn malformed_by(key: &str, error: impl Display) -> Self {
        Self::Usage { attribute: Some(key.to_owned()), message: error.to_string() }
    }

    /// A required attribute is missing. `example` shows it, as in `"ref=registry.example/app:cache"`.
    pub fn missing(kind: &str, key: &str, example: &str) -> Self {
        let message = format!("type={kind} needs the attribute {key}, as in type={kind},{example}");
        Self::Usage { attribute: Some(key.to_owned()), message }
    }

    /// A known attribute that cannot be honoured, for a reason.
    pub fn refused(key: &str, value: &str, reason: impl Display) -> Self {
        let message = format!("{key}={value} cannot be honoured: {reason}");
        Self::Unsupported { attribute: key.to_owned(), message }
    }

    /// The attribute that is wrong, if it is one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Usage { attribute, .. } => attribute.as_deref(),
            Self::Unsupported { attribute, .. } => Some(attribute),
            Self::Store(_) => None,
        }
    }
}
