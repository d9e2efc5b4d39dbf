//! The words of errors: an operation names itself, what it was about, and the registry.
//!
//! How answers and broken connections become errors stands beside what reads them: `error_response`,
//! `http/connection_error`.

use std::fmt;
use std::time::Duration;

use cache_ingest::{Error, ErrorKind};
use cache_target::Repository;

/// An operation on a registry, as its errors name it.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// A verb, such as `resolve`.
    pub(crate) verb: &'static str,
    /// The reference that it works on.
    pub(crate) subject: String,
    /// The repository that it works on.
    pub(crate) repository: Repository,
}

impl Operation {
    pub(crate) fn new(verb: &'static str, subject: impl Into<String>, repository: &Repository) -> Self {
        Self { verb, subject: subject.into(), repository: repository.clone() }
    }

    pub(crate) fn error(&self, kind: ErrorKind, reason: impl fmt::Display) -> Error {
        Error::new(kind, self.verb, &self.subject, reason)
    }

    /// A manifest or a list is larger than the job allows. `size` is in bytes, if it is known.
    pub(crate) fn above_metadata_limit(&self, size: Option<u64>, limit: u64) -> Error {
        Error::above_metadata_limit(self.verb, &self.subject, size, limit)
    }

    /// There was no answer in time.
    pub(crate) fn no_answer(&self, waited: Duration) -> Error {
        self.error(ErrorKind::Unavailable, format_args!("there is no answer within {waited:?}"))
    }
}

/// An attempt that failed, and when the registry allows another one.
#[derive(Debug)]
pub(crate) struct RequestFailure {
    pub(crate) error: Error,
    /// `None` if the server says nothing of a later attempt.
    pub(crate) retry_after: Option<RetryAfter>,
}

/// When a server may be asked again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryAfter {
    /// The wait that it has asked for in `Retry-After`; `None` if it limits the rate of requests and names no time.
    pub(crate) wait: Option<Duration>,
    /// Whether the server is healthy, and only limits the rate of requests.
    pub(crate) is_rate_limit: bool,
}

impl From<Error> for RequestFailure {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None }
    }
}

/// Why a request of an upload did not succeed, and what may be done about it.
pub(crate) enum UploadInterruption {
    /// Nothing.
    Final(Error),
    /// The upload may continue from the offset that the registry has reached.
    Broken(RequestFailure),
    /// The same request may be sent at once, with a new token.
    Refreshed(Error),
    /// The registry does not know the upload.
    Lost(Error),
}

impl From<RequestFailure> for UploadInterruption {
    fn from(failure: RequestFailure) -> Self {
        if failure.error.kind() == ErrorKind::Unavailable {
            Self::Broken(failure)
        } else {
            Self::Final(failure.error)
        }
    }
}

impl From<Error> for UploadInterruption {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}
