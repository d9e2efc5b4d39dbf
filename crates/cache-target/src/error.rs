//! The error of this crate: what was typed makes no sense, cannot be done, or its store does not open.
//!
//! Schemes of other crates construct it, too.

use std::fmt::Display;

use cache_model::OneLine;

/// Why a target cannot be opened. Displays on one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// What was typed is no target: bad quoting, an unknown type or attribute, a malformed value.
    #[error("{}", OneLine(.message))]
    Usage {
        /// The attribute that it is about, where it is about one.
        attribute: Option<String>,
        /// What is wrong, and what to write instead.
        message: String,
    },
    /// What was typed is understood, but this build cannot do it.
    #[error("{}", OneLine(.message))]
    Unsupported {
        /// The attribute that cannot be honoured.
        attribute: String,
        /// Which one, and why.
        message: String,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(cache_ingest::Error),
}

impl TargetError {
    /// What was typed makes no sense, as `message` says.
    pub fn usage(message: impl Display) -> Self {
        Self::Usage { attribute: None, message: message.to_string() }
    }

    /// An attribute's value is not what it has to be; `expected` names that, as in `"true or false"`.
    pub fn malformed(key: &str, value: &str, expected: impl Display) -> Self {
        let message = format!("{key}={value}: expected {expected}");
        Self::Usage { attribute: Some(key.to_owned()), message }
    }

    /// An attribute's value is not what it has to be, as an error says that quotes it.
    pub fn malformed_by(key: &str, error: impl Display) -> Self {
        Self::Usage { attribute: Some(key.to_owned()), message: error.to_string() }
    }

    /// An attribute that has to be there is not; `example` shows it, as in `"ref=registry.example/app:cache"`.
    pub fn missing(kind: &str, key: &str, example: &str) -> Self {
        let message = format!("type={kind} needs the attribute {key}, as in type={kind},{example}");
        Self::Usage { attribute: Some(key.to_owned()), message }
    }

    /// An attribute is known but cannot be honoured, for a reason.
    pub fn refused(key: &str, value: &str, reason: impl Display) -> Self {
        let message = format!("{key}={value} cannot be honoured: {reason}");
        Self::Unsupported { attribute: key.to_owned(), message }
    }

    /// The attribute that the error is about, where it is about one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Usage { attribute, .. } => attribute.as_deref(),
            Self::Unsupported { attribute, .. } => Some(attribute),
            Self::Store(_) => None,
        }
    }
}
