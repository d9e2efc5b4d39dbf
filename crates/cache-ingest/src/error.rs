//! The one error of the storage seams: a kind that a caller acts on, the operation, what it was about, the cause.
//!
//! Stores of other crates construct it too. It never names a type of a library that a store is made with.

use std::error::Error as StdError;
use std::fmt;

use cache_model::OneLine;

/// What went wrong, as far as a caller would act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The blob, manifest, tag or store is not there.
    NotFound,
    /// The credentials or permissions do not allow it.
    Denied,
    /// The content is not what its digest, size or format says. Trying the same source again may help.
    Corrupt,
    /// It is larger than a limit allows.
    TooLarge,
    /// The store does not answer now; trying again later may help.
    Unavailable,
    /// The store cannot do this at all.
    Unsupported,
    /// A name does not stand for what was expected, or another process holds a lock.
    Conflict,
    /// What was asked for makes no sense.
    Invalid,
    /// A manifest names a blob that the store does not have; storing its blobs again may help.
    Incomplete,
    /// There is no room left.
    NoSpace,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Whether the same request may succeed when it is made again.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Corrupt)
    }
}

/// The side of a copy on which an error arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where the blob is read.
    Source,
    /// Where the blob is written.
    Destination,
}

/// A failed operation of a store.
///
/// Displays as `operation subject: reason`, on one line; the cause is its [`source`](StdError::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    subject: String,
    reason: String,
    side: Option<Side>,
    tried_enough: bool,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind: which operation failed (a verb, as in `"open"`), on what (a digest, a path, a
    /// reference), and why in a few words, with what to do where that is known.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        subject: impl fmt::Display,
        reason: impl fmt::Display,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            subject: subject.to_string(),
            reason: reason.to_string(),
            side: None,
            tried_enough: false,
            cause: None,
        }))
    }

    /// The error of an operation on a file or folder, its kind chosen by that of `cause`.
    pub fn io(operation: &'static str, subject: impl fmt::Display, cause: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match cause.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
            Io::StorageFull | Io::QuotaExceeded => ErrorKind::NoSpace,
            Io::Interrupted | Io::TimedOut | Io::WouldBlock => ErrorKind::Unavailable,
            Io::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        };
        let reason = cause.to_string();
        Self::new(kind, operation, subject, reason).with_cause(cause)
    }

    /// The same error with a cause.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same error, on one side of a copy.
    #[must_use]
    pub fn on(mut self, side: Side) -> Self {
        self.0.side.get_or_insert(side);
        self
    }

    /// The same error, for which trying again will not do: whoever reports it has tried as often as it may.
    ///
    /// So retries of a store and of what uses it do not multiply.
    #[must_use]
    pub fn tried_enough(mut self) -> Self {
        self.0.tried_enough = true;
        self
    }

    /// Whether the same request may succeed when it is made again: as its kind says, unless it was
    /// [tried often enough](Self::tried_enough).
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable() && !self.0.tried_enough
    }

    /// What a caller would act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What it failed on: a digest, a path, a reference.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why, in a few words, without operation and subject.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The side of a copy, where the error arose in one.
    pub fn side(&self) -> Option<Side> {
        self.0.side
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.side {
            Some(Side::Source) => f.write_str("source: ")?,
            Some(Side::Destination) => f.write_str("destination: ")?,
            None => {}
        }
        let Inner { operation, subject, reason, .. } = &*self.0;
        write!(f, "{operation} {}: {}", OneLine(subject), OneLine(reason))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("side", &self.0.side)
            .field("operation", &self.0.operation)
            .field("subject", &self.0.subject)
            .field("reason", &self.0.reason)
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}
