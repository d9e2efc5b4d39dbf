//! Checking a blob: it is read once, for its digest and its content.
//!
//! The bytes are verified as they come in, and decompressed on another thread, which is at most a few chunks behind. The
//! content of a blob with the wrong digest is never reported.

use std::sync::Arc;
use std::thread::available_parallelism;

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Event, Job, Mismatch, Provider, Source, Step, Stored};
use cache_model::{Algorithm, Descriptor};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::chunks::ChunkReader;
use crate::content::{LayerContent, examine};
use crate::{FindingKind, VerifyOptions};

/// The most chunks that wait to be decompressed.
const AHEAD: usize = 4;

/// Checks the blobs of one store.
#[derive(Clone, Copy)]
pub(crate) struct BlobChecker<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) options: &'a VerifyOptions,
    pub(crate) job: &'a Job,
}

/// A layer's blob to check, and the algorithms of the diff IDs that its descriptors claim.
pub(crate) struct BlobCheck {
    pub(crate) descriptor: Descriptor,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Whether the blob is checked for a descriptor of another size, too.
    pub(crate) is_other_size: bool,
}

/// The outcome of checking a blob: a defect, or its content if it was read.
pub(crate) struct BlobOutcome {
    pub(crate) verdict: Result<Option<LayerContent>, FindingKind>,
    /// The number of bytes that were read.
    pub(crate) bytes: u64,
    /// Whether the store gave the blob, right or wrong.
    pub(crate) was_read: bool,
}

impl BlobChecker<'_> {
    /// Checks blobs, several at a time. The outcomes are in the order of the checks.
    pub(crate) async fn check_all(self, checks: &[BlobCheck]) -> Vec<BlobOutcome> {
        if !checks.is_empty() {
            let bytes = checks.iter().fold(0u64, |sum, check| sum.saturating_add(check.descriptor.size));
            self.job.event(&Event::Planned { blobs: checks.len() as u64, bytes });
        }
        stream::iter(checks).map(|check| self.check(check)).buffered(self.concurrency()).collect().await
    }

    async fn check(self, check: &BlobCheck) -> BlobOutcome {
        let descriptor = &check.descriptor;
        let begun = self.job.begin(Step::Check, descriptor);
        let (verdict, bytes, is_read) = if !self.options.blobs {
            (self.ask(descriptor).await.map(|()| None), 0, false)
        } else if let Some(kind) = self.size_defect(check).await {
            (Err(kind), 0, false)
        } else {
            let (verdict, bytes) = self.read(check).await;
            (verdict.map(Some), bytes, true)
        };
        match &verdict {
            Ok(_) => begun.finish(Stored::AlreadyPresent),
            Err(FindingKind::UnreadableBlob { error }) => begun.fail(error),
            Err(kind) => {
                let is_missing = matches!(kind, FindingKind::MissingBlob);
                let of = if is_missing { ErrorKind::NotFound } else { ErrorKind::Corrupt };
                begun.fail(&Error::new(of, "check", descriptor.digest, kind));
            }
        }
        let is_absent =
            matches!(&verdict, Err(FindingKind::MissingBlob | FindingKind::UnreadableBlob { .. }));
        BlobOutcome { was_read: is_read && !is_absent, verdict, bytes }
    }

    /// The finding about another size than the first of a blob, if the store knows that it is wrong. Reading the blob for each
    /// of many sizes would take very long, and only one of them can be right.
    async fn size_defect(self, check: &BlobCheck) -> Option<FindingKind> {
        if !check.is_other_size {
            return None;
        }
        let defect = self.ask(&check.descriptor).await.err();
        defect.filter(|kind| matches!(kind, FindingKind::ShortBlob { .. } | FindingKind::LongBlob { .. }))
    }

    pub(crate) fn source(&self, descriptor: &Descriptor) -> Source<'_> {
        Source::new(self.provider, descriptor.clone(), self.job)
    }

    /// The number of blobs that are read at once. Each takes a thread that decompresses, and for Zstandard the window of
    /// its frames (up to 128 MiB; frames with a larger one are not decompressed). So the cores are the limit, but two
    /// blobs are always allowed.
    fn concurrency(self) -> usize {
        let cores = available_parallelism().map_or(2, |cores| cores.get().max(2));
        self.job.concurrency.clamp(1, cores)
    }

    /// Checks that the blob is present and has its size.
    async fn ask(self, descriptor: &Descriptor) -> Result<(), FindingKind> {
        let expected = descriptor.size;
        match self.provider.info(descriptor).await {
            Ok(info) if info.size < expected => Err(FindingKind::ShortBlob { expected, actual: info.size }),
            Ok(info) if info.size > expected => {
                Err(FindingKind::LongBlob { expected, actual: Some(info.size) })
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.fault(descriptor, error).await),
        }
    }

    async fn read(self, check: &BlobCheck) -> (Result<LayerContent, FindingKind>, u64) {
        let descriptor = &check.descriptor;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (algorithms, own) = (check.algorithms.clone(), descriptor.digest.algorithm());
        let limit = self.options.max_expansion;
        let examined = spawn_blocking(move || examine(ChunkReader::new(receiver), &algorithms, own, limit));
        let (read, bytes) = feed(&self.source(descriptor), sender).await;
        // The sender has been dropped, so the thread ends.
        let examined = examined.await;
        let verdict = match (read, examined) {
            (Err(error), _) => Err(self.fault(descriptor, error).await),
            (Ok(()), Ok(contents)) => Ok(contents),
            (Ok(()), Err(cause)) => {
                let error = Error::new(ErrorKind::Other, "decompress", descriptor.digest, &cause);
                Err(FindingKind::UnreadableBlob { error: Arc::new(error.with_cause(cause)) })
            }
        };
        (verdict, bytes)
    }

    /// The finding for an error of reading a blob.
    pub(crate) async fn fault(self, descriptor: &Descriptor, error: Error) -> FindingKind {
        if error.kind() == ErrorKind::NotFound {
            return FindingKind::MissingBlob;
        }
        match error.cause_as::<Mismatch>() {
            Some(Mismatch::TooShort { received, expected }) => {
                FindingKind::ShortBlob { expected: *expected, actual: *received }
            }
            Some(Mismatch::TooLong { expected }) => {
                let info = self.provider.info(descriptor).await.ok();
                let actual = info.map(|info| info.size).filter(|size| size > expected);
                FindingKind::LongBlob { expected: *expected, actual }
            }
            Some(Mismatch::Different { actual }) => FindingKind::WrongDigest { actual: *actual },
            None => FindingKind::UnreadableBlob { error: Arc::new(error) },
        }
    }
}

/// Reads a blob to its end, and sends its chunks as long as there is a receiver. Also returns the number of bytes.
async fn feed(source: &Source<'_>, sender: mpsc::Sender<Bytes>) -> (Result<(), Error>, u64) {
    let mut sender = Some(sender);
    let mut reader = source.reader();
    let mut bytes = 0;
    loop {
        match reader.next_chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len() as u64;
                if let Some(open) = &sender
                    && open.send(chunk).await.is_err()
                {
                    sender = None;
                }
            }
            Ok(None) => return (Ok(()), bytes),
            Err(error) => return (Err(error), bytes),
        }
    }
}
