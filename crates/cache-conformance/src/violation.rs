//! The violation of a law, and checks that make one.
//!
//! It never ends the program: the caller of the laws decides what a violation means.

use std::fmt;

use cache_ingest::{Error, ErrorKind};

/// A law that does not hold. Displays as one line: the law, the expectation, the observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    law: &'static str,
    expected: String,
    seen: String,
}

impl Violation {
    /// A violation of a law. Your own laws can use it, too.
    pub fn new(law: &'static str, expected: impl fmt::Display, seen: impl fmt::Display) -> Self {
        Self { law, expected: expected.to_string(), seen: seen.to_string() }
    }

    /// The name of the law's function.
    pub fn law(&self) -> &'static str {
        self.law
    }

    /// The expectation of the law.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// The behaviour of the store.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, saw {}", self.law, self.expected, self.seen)
    }
}

impl std::error::Error for Violation {}

/// The name of a law, with the checks that a law makes.
#[derive(Clone, Copy)]
pub(crate) struct Law(pub(crate) &'static str);

impl Law {
    pub(crate) fn broken(self, expected: impl fmt::Display, seen: impl fmt::Display) -> Violation {
        Violation::new(self.0, expected, seen)
    }

    /// The value of a result that must be a success. `did` names the step.
    pub(crate) fn succeeds<T>(self, did: &str, result: Result<T, Error>) -> Result<T, Violation> {
        result.map_err(|error| {
            self.broken(format_args!("success when {did}"), format_args!("{:?}: {error}", error.kind()))
        })
    }

    /// Checks that a result is an error of any kind.
    pub(crate) fn is_an_error<T>(self, did: &str, result: Result<T, Error>) -> Result<Error, Violation> {
        match result {
            Err(error) => Ok(error),
            Ok(_) => Err(self.broken(format_args!("an error when {did}"), "a success")),
        }
    }

    /// Checks that a result is an error of this kind.
    pub(crate) fn fails<T>(
        self,
        kind: ErrorKind,
        did: &str,
        result: Result<T, Error>,
    ) -> Result<Error, Violation> {
        let error = self.is_an_error(did, result)?;
        if error.kind() == kind {
            return Ok(error);
        }
        Err(self.broken(format_args!("{kind:?} when {did}"), format_args!("{:?}: {error}", error.kind())))
    }

    pub(crate) fn equal<T: PartialEq + fmt::Debug>(
        self,
        what: &str,
        expected: &T,
        seen: &T,
    ) -> Result<(), Violation> {
        if expected == seen {
            return Ok(());
        }
        Err(self.broken(format_args!("{what} to be {expected:?}"), format_args!("{seen:?}")))
    }
}
