//! Checking a blob: it is read once, for its digest and its content.
//!
//! The content of a blob with the wrong digest is never reported.

use std::sync::Arc;

use cache_compress::{LayerContent, LayerRead, read_concurrency, read_layer};
use cache_ingest::{Error, ErrorKind, Event, Job, Mismatch, Provider, Source, Step, Stored};
use cache_model::{Algorithm, Descriptor};
use futures_util::{StreamExt, stream};

use crate::{FindingKind, VerifyOptions};

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
        stream::iter(checks)
            .map(|check| self.check(check))
            .buffered(read_concurrency(self.job))
            .collect()
            .await
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
        let source = self.source(descriptor);
        let LayerRead { content, bytes, .. } =
            read_layer(&source, &check.algorithms, self.options.max_expansion).await;
        let verdict = match content {
            Ok(content) => Ok(content),
            Err(error) => Err(self.fault(descriptor, error).await),
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
