//! Checking a blob: it is read once, for its digest and its content.
//!
//! The content of a blob with the wrong digest is never reported.

use std::sync::Arc;

use cache_compress::{LayerContent, LayerRead, read_concurrency, read_layer_with};
use cache_ingest::{BegunStep, Error, ErrorKind, Event, Job, Mismatch, Provider, Source, Step, Stored};
use cache_model::{Algorithm, Descriptor};
use futures_util::{StreamExt, stream};

use crate::{FindingKind, LayerReader, VerifyOptions};

/// Checks the blobs of one store.
#[derive(Clone, Copy)]
pub(crate) struct BlobChecker<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) options: &'a VerifyOptions,
    pub(crate) job: &'a Job,
    /// Who reads layers in the same pass.
    pub(crate) reader: &'a dyn LayerReader,
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
        let concurrency = match self.options.blobs {
            true => read_concurrency(self.job),
            false => self.job.concurrency.max(1),
        };
        stream::iter(checks).map(|check| self.check(check)).buffered(concurrency).collect().await
    }

    async fn check(self, check: &BlobCheck) -> BlobOutcome {
        let descriptor = &check.descriptor;
        let begun = self.job.begin(Step::Check, descriptor);
        let (verdict, bytes, is_read) = if !self.options.blobs {
            let defect = self.ask(descriptor).await.unwrap_or_else(|error| Some(unreadable(error)));
            (defect.map_or(Ok(None), Err), 0, false)
        } else if let Some(kind) = self.size_defect(check).await {
            (Err(kind), 0, false)
        } else {
            let (verdict, bytes) = self.read(check).await;
            (verdict.map(Some), bytes, true)
        };
        end(begun, descriptor, verdict.as_ref().err());
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
        let defect = self.ask(&check.descriptor).await.ok().flatten();
        defect.filter(|kind| matches!(kind, FindingKind::ShortBlob { .. } | FindingKind::LongBlob { .. }))
    }

    pub(crate) fn source(&self, descriptor: &Descriptor) -> Source<'_> {
        Source::new(self.provider, descriptor.clone(), self.job)
    }

    /// Checks that the blob is present and has its size: its defect, `None` for none. An error if the store cannot tell.
    async fn ask(self, descriptor: &Descriptor) -> Result<Option<FindingKind>, Error> {
        let expected = descriptor.size;
        match self.provider.info(descriptor).await {
            Ok(info) if info.size < expected => {
                Ok(Some(FindingKind::ShortBlob { expected, actual: info.size }))
            }
            Ok(info) if info.size > expected => {
                Ok(Some(FindingKind::LongBlob { expected, actual: Some(info.size) }))
            }
            Ok(_) => Ok(None),
            Err(error) => self.defect(descriptor, error).await.map(Some),
        }
    }

    /// Looks for damage: the blob is asked for, or with `read` hashed. Its defect, `None` for none; an error if the store
    /// cannot tell.
    pub(crate) async fn look(
        self,
        descriptor: &Descriptor,
        read: bool,
    ) -> Result<Option<FindingKind>, Error> {
        let begun = self.job.begin(Step::Check, descriptor);
        let looked = match read {
            false => self.ask(descriptor).await,
            true => match hash(&self.source(descriptor)).await {
                Ok(()) => Ok(None),
                Err(error) => self.defect(descriptor, error).await.map(Some),
            },
        };
        match &looked {
            Ok(defect) => end(begun, descriptor, defect.as_ref()),
            Err(error) => begun.fail(error),
        }
        looked
    }

    async fn read(self, check: &BlobCheck) -> (Result<LayerContent, FindingKind>, u64) {
        let descriptor = &check.descriptor;
        let source = self.source(descriptor);
        let task = self.reader.read(&descriptor.digest);
        let (LayerRead { content, bytes, .. }, done) =
            read_layer_with(&source, &check.algorithms, self.options.max_expansion, |tar| {
                task.map(|task| task(tar))
            })
            .await;
        let verdict = match content {
            Ok(content) => {
                if let Some(done) = done.flatten() {
                    done();
                }
                Ok(content)
            }
            Err(error) => Err(self.fault(descriptor, error).await),
        };
        (verdict, bytes)
    }

    /// The finding for an error of reading a blob.
    pub(crate) async fn fault(self, descriptor: &Descriptor, error: Error) -> FindingKind {
        self.defect(descriptor, error).await.unwrap_or_else(unreadable)
    }

    /// The defect of a blob that an error of reading it shows. The error itself if it shows none.
    async fn defect(self, descriptor: &Descriptor, error: Error) -> Result<FindingKind, Error> {
        if error.kind() == ErrorKind::NotFound {
            return Ok(FindingKind::MissingBlob);
        }
        match error.cause_as::<Mismatch>() {
            Some(Mismatch::TooShort { received, expected }) => {
                Ok(FindingKind::ShortBlob { expected: *expected, actual: *received })
            }
            Some(Mismatch::TooLong { expected }) => {
                let info = self.provider.info(descriptor).await.ok();
                let actual = info.map(|info| info.size).filter(|size| size > expected);
                Ok(FindingKind::LongBlob { expected: *expected, actual })
            }
            Some(Mismatch::Different { actual }) => Ok(FindingKind::WrongDigest { actual: *actual }),
            None => Err(error),
        }
    }
}

/// The finding about a blob of which the store cannot tell what it has.
fn unreadable(error: Error) -> FindingKind {
    FindingKind::UnreadableBlob { error: Arc::new(error) }
}

/// Ends the check of a blob: with its defect, if it has one.
fn end(begun: BegunStep<'_>, descriptor: &Descriptor, defect: Option<&FindingKind>) {
    match defect {
        None => begun.finish(Stored::AlreadyPresent),
        Some(FindingKind::UnreadableBlob { error }) => begun.fail(error),
        Some(kind) => {
            let is_missing = matches!(kind, FindingKind::MissingBlob);
            let of = if is_missing { ErrorKind::NotFound } else { ErrorKind::Corrupt };
            begun.fail(&Error::new(of, "check", descriptor.digest, kind));
        }
    }
}

/// Reads a blob to its end, which verifies it.
async fn hash(source: &Source<'_>) -> Result<(), Error> {
    let mut reader = source.reader();
    while reader.next_chunk().await?.is_some() {}
    Ok(())
}
