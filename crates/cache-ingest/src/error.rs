//! The error of the storage seams: a kind that a caller acts on, the operation, its subject, the reason, the cause.
//!
//! Stores of other crates construct it too. It never names a type of a library that a store uses.

use std::error::Error as StdError;
use std::fmt;

use cache_model::{OneLine, count};

/// The kind of a failure, as far as a caller would act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The blob, manifest, tag or store does not exist.
    NotFound,
    /// The credentials or permissions do not allow it.
    Denied,
    /// The content does not fit its digest, size or format. Trying the same source again may help.
    Corrupt,
    /// It is larger than a limit allows.
    TooLarge,
    /// The store does not answer now; trying again later may help.
    Unavailable,
    /// The store cannot do this at all.
    Unsupported,
    /// A name does not stand for the expected manifest, another process holds a lock, or a manifest has other names.
    Conflict,
    /// The request makes no sense.
    Invalid,
    /// A manifest names a blob that the store does not have; storing its blobs again may help.
    Incomplete,
    /// There is no room left.
    NoSpace,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Its name in machine-readable output, such as `not-found`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Denied => "denied",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too-large",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Incomplete => "incomplete",
            Self::NoSpace => "no-space",
            Self::Other => "other",
        }
    }

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

/// Metadata (a manifest, an index, a config, a list of tags) that is larger than a job allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AboveMetadataLimit {
    /// Its size in bytes, where that is known.
    pub size: Option<u64>,
    /// The limit in bytes: [`Job::max_metadata`](crate::Job::max_metadata).
    pub limit: u64,
}

impl fmt::Display for AboveMetadataLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = count(self.limit, "byte");
        match self.size {
            Some(size) => {
                write!(f, "its {} are above the limit of {limit} for metadata", count(size, "byte"))
            }
            None => write!(f, "it is above the limit of {limit} for metadata"),
        }
    }
}

impl StdError for AboveMetadataLimit {}

/// A failed operation of a store.
///
/// Displays as `operation subject: reason`, on one line. A cause whose text is part of the reason is passed over by
/// [`source`](StdError::source), so that a chain of errors prints nothing twice.
/// [`cause_as`](Self::cause_as) finds that cause too.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    subject: String,
    reason: String,
    side: Option<Side>,
    tried_enough: bool,
    /// Whether the reason has the text of the cause in it.
    says_cause: bool,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind: the operation (a verb, as in `"open"`), its subject (a digest, a path, a reference), and the
    /// reason in a few words, with the remedy if there is a known one.
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
            says_cause: false,
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
        let cause = cause.into();
        self.0.says_cause = self.0.reason.contains(&cause.to_string());
        self.0.cause = Some(cause);
        self
    }

    /// The error of metadata above the limit of a job ([`Job::max_metadata`](crate::Job::max_metadata)): of this size in
    /// bytes, where it is known. Its kind is [`ErrorKind::TooLarge`], its cause an [`AboveMetadataLimit`].
    pub fn above_metadata_limit(
        operation: &'static str,
        subject: impl fmt::Display,
        size: Option<u64>,
        limit: u64,
    ) -> Self {
        let cause = AboveMetadataLimit { size, limit };
        Self::new(ErrorKind::TooLarge, operation, subject, cause).with_cause(cause)
    }

    /// The error of an operation that needs a Tokio runtime, outside of one. Its kind is [`ErrorKind::Unsupported`].
    pub fn no_runtime(operation: &'static str, subject: impl fmt::Display) -> Self {
        let reason = "there is no Tokio runtime: call it within one";
        Self::new(ErrorKind::Unsupported, operation, subject, reason)
    }

    /// The same error, on one side of a copy.
    #[must_use]
    pub fn on(mut self, side: Side) -> Self {
        self.0.side.get_or_insert(side);
        self
    }

    /// The same error, which must not be retried: the store has retried as often as it may.
    ///
    /// So the retries of a store and of its callers do not multiply.
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

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The subject of the operation: a digest, a path, a reference.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why, in a few words, without operation and subject.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The nearest cause of a type, also one that [`source`](StdError::source) passes over.
    pub fn cause_as<T: StdError + 'static>(&self) -> Option<&T> {
        let mut cause: Option<&(dyn StdError + 'static)> = self.cause();
        while let Some(this) = cause {
            if let Some(found) = this.downcast_ref() {
                return Some(found);
            }
            cause = match this.downcast_ref::<Self>() {
                Some(error) => error.cause(),
                None => this.source(),
            };
        }
        None
    }

    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
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

impl PartialEq for Error {
    /// Whether kind, side, operation, subject and reason are the same. Causes are not compared.
    fn eq(&self, other: &Self) -> bool {
        let parts = |error: &Self| (error.kind(), error.side(), error.operation());
        parts(self) == parts(other) && self.subject() == other.subject() && self.reason() == other.reason()
    }
}

impl Eq for Error {}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.cause()?;
        if self.0.says_cause { cause.source() } else { Some(cause) }
    }
}
