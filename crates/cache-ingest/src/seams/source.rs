//! The source that an ingester takes a blob from: a provider's blob or bytes in memory, read in the same way.
//!
//! It can be opened any number of times. It never hands out the end of a blob that it has not verified.

use std::fmt;
use std::fs::File;
use std::time::Duration;

use bytes::Bytes;
use cache_model::Descriptor;
use futures_util::stream;

use crate::{ByteStream, Error, Event, Job, Origin, Provider, Retries, Side, Verifier};

/// The size of the chunks of bytes in memory, so that progress is seen and other tasks get their turn.
const CHUNK: usize = 256 * 1024;

/// The bytes of one blob, to be read as often as it takes.
///
/// An [`Ingester`](crate::Ingester) reads it with [`reader`](Self::reader), which verifies; or it asks for the
/// [`file`](Self::file) or the [`origin`](Self::origin) and takes the blob by a shorter way. Then it verifies
/// the result with [`verifier`](Self::verifier), and reports the bytes with [`transferred`](Self::transferred).
pub struct Source<'a> {
    descriptor: Descriptor,
    from: Content<'a>,
    job: Job,
    side: Option<Side>,
}

enum Content<'a> {
    Provider(&'a dyn Provider),
    Bytes(Bytes),
}

impl<'a> Source<'a> {
    /// The blob of a provider. Its readers open it again where a stream breaks, as often as the job allows.
    pub fn new(provider: &'a dyn Provider, descriptor: Descriptor, job: &Job) -> Self {
        Self { descriptor, from: Content::Provider(provider), job: job.clone(), side: None }
    }

    /// Bytes in memory, which are verified as any others are.
    pub fn from_bytes(descriptor: Descriptor, bytes: impl Into<Bytes>) -> Self {
        Self { descriptor, from: Content::Bytes(bytes.into()), job: Job::default(), side: None }
    }

    /// The same source as a part of a job, which hears of its bytes.
    #[must_use]
    pub fn with_job(self, job: &Job) -> Self {
        Self { job: job.clone(), ..self }
    }

    /// The same source, whose errors are those of the source of a copy.
    #[must_use]
    pub(crate) fn in_copy(mut self) -> Self {
        self.side = Some(Side::Source);
        self
    }

    /// The descriptor of the blob.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The blob as a file at its start, where the provider has one. Its content is not verified.
    pub fn file(&self) -> Option<File> {
        match self.from {
            Content::Provider(provider) => provider.file(&self.descriptor),
            Content::Bytes(_) => None,
        }
    }

    /// Where the blob lies, for a destination that may be able to mount it.
    pub fn origin(&self) -> Option<Origin> {
        match self.from {
            Content::Provider(provider) => provider.origin(&self.descriptor),
            Content::Bytes(_) => None,
        }
    }

    /// The bytes, where they are in memory. They are not verified.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.from {
            Content::Provider(_) => None,
            Content::Bytes(bytes) => Some(bytes),
        }
    }

    /// Whether the provider turns to another copy of the blob, since this one has other content.
    pub(crate) fn pass_over(&self) -> bool {
        match self.from {
            Content::Provider(provider) => provider.pass_over(&self.descriptor),
            Content::Bytes(_) => false,
        }
    }

    /// A verifier for the blob, whose errors count as this source's.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.descriptor).on(self.side)
    }

    /// Reports that a reader opens the source again, from an offset on.
    pub(crate) fn repeats(&self, offset: u64, attempt: u32, wait: Duration, error: &Error) {
        let request = format!("read {} from byte {offset} on", self.descriptor.digest);
        let restarted = None;
        self.job.event(&Event::Retrying { request: &request, restarted, attempt, wait, error });
    }

    /// Reports that the destination has the first bytes of the blob.
    pub(crate) fn resumes(&self, bytes: u64) {
        if bytes > 0 {
            self.job.event(&Event::Resumed { descriptor: &self.descriptor, bytes });
        }
    }

    /// Reports that the blob is read again from its first byte on, at once, as what was kept of it was wrong.
    pub(crate) fn restarts(&self, error: &Error) {
        let request = format!("copy {}", self.descriptor.digest);
        let (restarted, wait) = (Some(&self.descriptor), Duration::ZERO);
        self.job.event(&Event::Retrying { request: &request, restarted, attempt: 2, wait, error });
    }

    /// Reports that the destination has a blob of the right size, and reads it to verify its content.
    pub fn rehashing(&self) {
        self.job.event(&Event::Rehashing { descriptor: &self.descriptor });
    }

    /// Reports bytes that were taken by other means than a reader.
    pub fn transferred(&self, bytes: u64) {
        if bytes > 0 {
            self.job.event(&Event::Transferred { descriptor: &self.descriptor, bytes });
        }
    }

    /// The unverified bytes from an offset on.
    pub(crate) async fn open(&self, offset: u64) -> Result<ByteStream, Error> {
        match &self.from {
            Content::Provider(provider) => provider.open(&self.descriptor, offset).await,
            Content::Bytes(bytes) => Ok(chunks(bytes.clone())),
        }
    }

    pub(crate) fn retries(&self) -> Retries {
        self.job.retries()
    }

    /// The same error, on this source's side of a copy.
    pub(crate) fn blame(&self, error: Error) -> Error {
        match self.side {
            Some(side) => error.on(side),
            None => error,
        }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

/// Bytes in memory as a stream.
pub(crate) fn chunks(bytes: Bytes) -> ByteStream {
    Box::pin(stream::iter(ChunksOf(bytes)))
}

struct ChunksOf(Bytes);

impl Iterator for ChunksOf {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.0.len().min(CHUNK);
        (len > 0).then(|| Ok(self.0.split_to(len)))
    }
}
