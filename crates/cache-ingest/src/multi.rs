//! Several providers as one.
//!
//! A blob is looked for first where it is known to be. A failure of one provider is never taken for the blob's absence.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cache_model::{Descriptor, Digest};

use crate::{ByteStream, Error, ErrorKind, Info, Origin, Provider};

/// Asks one provider after the other: first those that are [known](Self::add) to have the blob, then the others, each in
/// the order in which they were added.
///
/// A provider that does not have the blob, has it in another size, or fails, is passed over. The one that has been found to
/// have it is asked first from then on, unless what it gave has other content ([`pass_over`](Provider::pass_over)). If none has
/// it, the error is the first failure, or [`ErrorKind::NotFound`] if every one of them says so.
#[derive(Debug)]
pub struct MultiProvider<P = Arc<dyn Provider>> {
    providers: Vec<P>,
    /// The positions of the providers that are known to have a blob.
    known: HashMap<Digest, Vec<usize>>,
    /// The position of the provider that was found to have a blob.
    found: Mutex<HashMap<Digest, usize>>,
    /// The positions of the providers whose copy of a blob has other content.
    damaged: Mutex<HashMap<Digest, Vec<usize>>>,
}

impl<P: Provider> MultiProvider<P> {
    /// These providers, in the order in which they are asked.
    pub fn new(providers: impl IntoIterator<Item = P>) -> Self {
        let providers = providers.into_iter().collect();
        Self { providers, known: HashMap::new(), found: Mutex::default(), damaged: Mutex::default() }
    }

    /// Adds a provider that is known to have these blobs. Another one is asked for them only if this one does not have them
    /// after all.
    pub fn add(&mut self, provider: P, blobs: impl IntoIterator<Item = Digest>) {
        let position = self.providers.len();
        self.providers.push(provider);
        for blob in blobs {
            let known = self.known.entry(blob).or_default();
            if known.last() != Some(&position) {
                known.push(position);
            }
        }
    }

    /// The providers to ask for a blob, in order, with their positions.
    fn order(&self, blob: &Digest) -> impl Iterator<Item = (usize, &P)> {
        let found = self.found(blob);
        let damaged = self.damaged().get(blob).cloned().unwrap_or_default();
        let known = self.known.get(blob).map_or(&[][..], Vec::as_slice);
        let first = found.into_iter().chain(known.iter().copied().filter(move |at| Some(*at) != found));
        let others = (0..self.providers.len()).filter(move |at| Some(*at) != found && !known.contains(at));
        let sound = first.chain(others).filter(move |at| !damaged.contains(at));
        sound.filter_map(|at| Some((at, self.providers.get(at)?)))
    }

    /// The position of the provider that was found to have a blob.
    fn found(&self, blob: &Digest) -> Option<usize> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(blob).copied()
    }

    fn remember(&self, blob: Digest, at: usize) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(blob, at);
    }

    fn damaged(&self) -> MutexGuard<'_, HashMap<Digest, Vec<usize>>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// What the first provider says that has the blob in the size of its descriptor; if all have other sizes, the first.
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let (mut failures, mut other) = (Failures::default(), None);
        for (at, provider) in self.order(&descriptor.digest) {
            match provider.info(descriptor).await {
                Ok(info) if info.size == descriptor.size => {
                    self.remember(descriptor.digest, at);
                    return Ok(info);
                }
                Ok(info) => drop(other.get_or_insert(info)),
                Err(error) => failures.note(error),
            }
        }
        other.ok_or_else(|| failures.into_error("look up", descriptor))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let mut failures = Failures::default();
        for (at, provider) in self.order(&descriptor.digest) {
            match provider.open(descriptor, offset).await {
                Ok(stream) => {
                    self.remember(descriptor.digest, at);
                    return Ok(stream);
                }
                Err(error) => failures.note(error),
            }
        }
        Err(failures.into_error("open", descriptor))
    }

    /// The file of the provider that was found to have the blob, since a file of another one may have the wrong size. If none
    /// was looked for, the file of the first provider that has one.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        match self.found(&descriptor.digest) {
            Some(at) => self.providers.get(at)?.file(descriptor),
            None => self.order(&descriptor.digest).find_map(|(at, provider)| {
                let file = provider.file(descriptor)?;
                self.remember(descriptor.digest, at);
                Some(file)
            }),
        }
    }

    /// The origin of the first provider that has one.
    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        self.order(&descriptor.digest).find_map(|(_, provider)| provider.origin(descriptor))
    }

    /// Does not ask the provider again that was found to have the blob, unless it is the last one.
    fn pass_over(&self, descriptor: &Descriptor) -> bool {
        let blob = descriptor.digest;
        let mut order = self.order(&blob).map(|(at, _)| at);
        let (Some(at), Some(_)) = (order.next(), order.next()) else { return false };
        self.damaged().entry(blob).or_default().push(at);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(&blob);
        true
    }
}
