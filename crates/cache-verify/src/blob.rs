//! One blob: read once, its digest and its content checked in the same pass.
//!
//! The bytes are verified where they come in, and decompressed on a thread of their own, which is at most a few
//! chunks behind. What that thread says of a blob that is not the descriptor's is never told.

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

/// How many chunks may wait to be decompressed.
const AHEAD: usize = 4;

/// Where blobs are read from, and how.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) options: &'a VerifyOptions,
    pub(crate) job: &'a Job,
}

/// A layer's blob to look at, and the algorithms of the diff IDs that it is said to have.
pub(crate) struct BlobCheck {
    pub(crate) descriptor: Descriptor,
    pub(crate) algorithms: Vec<Algorithm>,
}

/// What a look at a blob gave: what is wrong with it, or its contents where they were read.
pub(crate) struct Outcome {
    pub(crate) verdict: Result<Option<LayerContent>, FindingKind>,
    /// How many bytes were read.
    pub(crate) bytes: u64,
}

impl Reading<'_> {
    /// Looks at blobs, several at a time; the outcomes are in the order of the checks.
    pub(crate) async fn look_at_all(self, checks: &[BlobCheck]) -> Vec<Outcome> {
        if !checks.is_empty() {
            let bytes = checks.iter().fold(0u64, |sum, check| sum.saturating_add(check.descriptor.size));
            self.job.event(&Event::Planned { blobs: checks.len() as u64, bytes });
        }
        stream::iter(checks).map(|check| self.look_at(check)).buffered(self.concurrency()).collect().await
    }

    async fn look_at(self, check: &BlobCheck) -> Outcome {
        let descriptor = &check.descriptor;
        self.started(descriptor);
        let (verdict, bytes) = if self.options.blobs {
            let (verdict, bytes) = self.read(check).await;
            (verdict.map(Some), bytes)
        } else {
            (self.ask(descriptor).await.map(|()| None), 0)
        };
        if verdict.is_ok() {
            self.finished(descriptor);
        }
        Outcome { verdict, bytes }
    }

    pub(crate) fn started(self, descriptor: &Descriptor) {
        self.job.event(&Event::Started { step: Step::Check, descriptor });
    }

    pub(crate) fn finished(self, descriptor: &Descriptor) {
        let (step, stored) = (Step::Check, Stored::AlreadyPresent);
        self.job.event(&Event::Finished { step, descriptor, stored });
    }

    pub(crate) fn source(&self, descriptor: &Descriptor) -> Source<'_> {
        Source::new(self.provider, descriptor.clone(), self.job)
    }

    /// How many blobs are read at once. Each takes a thread that decompresses, and for Zstandard the window that its
    /// frames ask for (up to 128 MiB; frames with a larger one are not decompressed). So there are no more than cores,
    /// and two where there is one core.
    fn concurrency(self) -> usize {
        let cores = available_parallelism().map_or(2, |cores| cores.get().max(2));
        self.job.concurrency.clamp(1, cores)
    }

    /// Whether the blob is there and has its size.
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
        // The sender is gone, so the thread comes to its end.
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

    /// What an error of reading a blob says of it.
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

/// Reads a blob to its end and sends its chunks for as long as someone takes them; says how many bytes there were.
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
