//! The verified copy of blobs from a provider to an ingester.
//!
//! It bounds how many blobs are under way and how often they are retried. It never names a manifest, and holds no blob in
//! memory.

mod presence;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use cache_model::Descriptor;
use futures_util::{StreamExt, stream};

use crate::runtime::pause;
use crate::{Error, ErrorKind, Event, Ingester, Job, Mismatch, Provider, Side, Source, Step, Stored};

pub use presence::{Presence, presence};

/// How the blobs of a copy came to be in the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Blobs whose bytes were written.
    pub stored: Tally,
    /// Blobs that the destination had already.
    pub already_present: Tally,
    /// Blobs that the destination took from another place of its own.
    pub mounted: Tally,
}

/// A number of blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

impl Tally {
    /// Counts a blob of a size in bytes.
    pub fn count(&mut self, bytes: u64) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Summary {
    /// Counts a blob of a size in bytes.
    pub fn count(&mut self, stored: Stored, bytes: u64) {
        match stored {
            Stored::Stored => self.stored.count(bytes),
            Stored::AlreadyPresent => self.already_present.count(bytes),
            Stored::Mounted => self.mounted.count(bytes),
        }
    }

    /// All blobs.
    pub fn total(&self) -> Tally {
        let tallies = [self.stored, self.already_present, self.mounted];
        Tally {
            blobs: tallies.iter().map(|tally| tally.blobs).sum(),
            bytes: tallies.iter().fold(0, |sum, tally| sum.saturating_add(tally.bytes)),
        }
    }
}

/// Copies one blob.
///
/// Needs a Tokio runtime with time where anything is retried: outside of one, a retry is an error.
///
/// It sends [`Event::Started`], [`Event::Transferred`], [`Event::Retrying`], and [`Event::Finished`] or [`Event::Failed`].
/// The source is opened again where its stream breaks; a put that fails is made again where another try may help. The
/// retries of both are bounded by the job. A blob that is wrong is taken from another place if the provider has one
/// ([`Provider::pass_over`]); else it is tried again unless it is in memory or in a file. The error says on which [`Side`] it
/// arose.
pub async fn copy(
    step: Step,
    descriptor: &Descriptor,
    provider: &dyn Provider,
    ingester: &dyn Ingester,
    job: &Job,
) -> Result<Stored, Error> {
    transfer(step, Source::new(provider, descriptor.clone(), job), ingester, job).await
}

/// Copies one blob that is in memory, as [`copy`] does.
pub async fn copy_bytes(
    step: Step,
    descriptor: &Descriptor,
    bytes: Bytes,
    ingester: &dyn Ingester,
    job: &Job,
) -> Result<Stored, Error> {
    transfer(step, Source::from_bytes(descriptor.clone(), bytes).with_job(job), ingester, job).await
}

/// Copies many blobs, each distinct digest once, several at a time.
///
/// It sends [`Event::Planned`], and for each blob the events of [`copy`]. The first error ends it, and so does dropping the
/// future. Then the blobs that are under way fail too. Two descriptors of one digest with different sizes are
/// [`ErrorKind::Invalid`], before anything is copied.
pub async fn copy_all(
    blobs: impl IntoIterator<Item = (Step, Descriptor)>,
    provider: &dyn Provider,
    ingester: &dyn Ingester,
    job: &Job,
) -> Result<Summary, Error> {
    let blobs = distinct(blobs)?;
    if !blobs.is_empty() {
        let bytes = blobs.iter().fold(0u64, |sum, (_, descriptor)| sum.saturating_add(descriptor.size));
        job.event(&Event::Planned { blobs: blobs.len() as u64, bytes });
    }
    let mut copies = stream::iter(blobs)
        .map(|(step, descriptor)| async move {
            let stored = copy(step, &descriptor, provider, ingester, job).await?;
            Ok::<_, Error>((stored, descriptor.size))
        })
        .buffer_unordered(job.concurrency.max(1));
    let mut summary = Summary::default();
    while let Some(copied) = copies.next().await {
        let (stored, bytes) = copied?;
        summary.count(stored, bytes);
    }
    Ok(summary)
}

/// The first of the blobs for each digest, in order.
fn distinct(blobs: impl IntoIterator<Item = (Step, Descriptor)>) -> Result<Vec<(Step, Descriptor)>, Error> {
    let mut sizes = HashMap::new();
    let mut distinct = Vec::new();
    for (step, descriptor) in blobs {
        match sizes.entry(descriptor.digest) {
            Entry::Vacant(place) => {
                place.insert(descriptor.size);
                distinct.push((step, descriptor));
            }
            Entry::Occupied(size) if *size.get() == descriptor.size => {}
            Entry::Occupied(size) => {
                let reason = format_args!(
                    "two descriptors of it give different sizes, {} and {} bytes",
                    size.get(),
                    descriptor.size
                );
                return Err(Error::new(ErrorKind::Invalid, "copy", descriptor.digest, reason));
            }
        }
    }
    Ok(distinct)
}

async fn transfer(
    step: Step,
    source: Source<'_>,
    ingester: &dyn Ingester,
    job: &Job,
) -> Result<Stored, Error> {
    let source = source.in_copy();
    let descriptor = source.descriptor();
    let mut retries = job.retries();
    let begun = job.begin(step, descriptor);
    let mut damage = None;
    loop {
        let error = match ingester.put(descriptor, &source).await {
            Ok(stored) => {
                begun.finish(stored);
                return Ok(stored);
            }
            Err(error) => error.on(Side::Destination),
        };
        if is_mismatch(&error) && source.pass_over() {
            source.restarts(&error);
            damage.get_or_insert(error);
            continue;
        }
        let wait = if is_final(&error, &source) { None } else { retries.next_wait(&error) };
        let Some(wait) = wait else {
            // If no other place has the blob, the damage is the reason.
            let is_absent = error.side() == Some(Side::Source) && error.kind() == ErrorKind::NotFound;
            let error = damage.filter(|_| is_absent).unwrap_or(error);
            begun.fail(&error);
            return Err(error);
        };
        let request = format!("copy {}", descriptor.digest);
        let (restarted, attempt) = (Some(descriptor), retries.attempt());
        job.event(&Event::Retrying { request: &request, restarted, attempt, wait, error: &error });
        if let Err(cannot_wait) = pause("copy", wait).await {
            begun.fail(&error);
            return Err(cannot_wait.with_cause(error));
        }
    }
}

/// Whether a retry is pointless. The reader has already retried broken streams. Only a complete but wrong blob from a
/// remote source may differ next time.
fn is_final(error: &Error, source: &Source<'_>) -> bool {
    let stays_the_same = || source.as_bytes().is_some() || source.file().is_some();
    error.side() == Some(Side::Source) && (!is_mismatch(error) || stays_the_same())
}

/// Whether the source gave a blob that is not the one of the descriptor.
fn is_mismatch(error: &Error) -> bool {
    error.side() == Some(Side::Source) && error.cause_as::<Mismatch>().is_some()
}
