//! Several providers as one.
//!
//! They are asked in order. A failure of one is never taken for the blob's absence.

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{ByteStream, Error, ErrorKind, Info, Origin, Provider};

/// Asks one provider after the other.
///
/// A provider that does not have the blob, or fails, is passed over. If none has it, the error is the first failure, or
/// [`ErrorKind::NotFound`] if every one of them says so.
#[derive(Clone, Debug)]
pub struct MultiProvider<P = Arc<dyn Provider>> {
    providers: Vec<P>,
}

impl<P: Provider> MultiProvider<P> {
    /// These providers, in the order in which they are asked.
    pub fn new(providers: impl IntoIterator<Item = P>) -> Self {
        Self { providers: providers.into_iter().collect() }
    }
}

/// The failures so far.
#[derive(Default)]
struct Failures(Option<Error>);

impl Failures {
    fn note(&mut self, error: Error) {
        let keep = |kept: &Error| kept.kind() != ErrorKind::NotFound || error.kind() == ErrorKind::NotFound;
        if !self.0.as_ref().is_some_and(keep) {
            self.0 = Some(error);
        }
    }

    fn into_error(self, operation: &'static str, descriptor: &Descriptor) -> Error {
        let nobody =
            || Error::new(ErrorKind::NotFound, operation, descriptor.digest, "there is no place to look");
        self.0.unwrap_or_else(nobody)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<P: Provider> Provider for MultiProvider<P> {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let mut failures = Failures::default();
        for provider in &self.providers {
            match provider.info(descriptor).await {
                Ok(info) => return Ok(info),
                Err(error) => failures.note(error),
            }
        }
        Err(failures.into_error("look up", descriptor))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let mut failures = Failures::default();
        for provider in &self.providers {
            match provider.open(descriptor, offset).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failures.note(error),
            }
        }
        Err(failures.into_error("open", descriptor))
    }

    /// The file of the first provider that has one.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        self.providers.iter().find_map(|provider| provider.file(descriptor))
    }

    /// The origin of the first provider that has one.
    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        self.providers.iter().find_map(|provider| provider.origin(descriptor))
    }
}
