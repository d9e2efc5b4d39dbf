//! Verifying: from a name to a report.
//!
//! First all manifests and configs, then the blobs of all layers, then the findings in the order of the cache. A defect
//! never stops it.

use std::collections::HashSet;

use bytes::Bytes;
use cache_format::{Unpacked, unpack};
use cache_ingest::{Error, ErrorKind, Job, Name, ReadStore, Resolved};
use cache_model::Digest;

use crate::blob::BlobChecker;
use crate::layers::BlobChecks;
use crate::metadata::Unread;
use crate::needs::STEPS;
use crate::walk::MetadataWalk;
use crate::{FindingKind, LayerReader, Report, VerifyError, VerifyOptions};

/// Verifies the cache that a name stands for: a cache's manifest with all that it names, or an image or an index of
/// images with the inline caches inside them.
///
/// Each distinct blob is read once, several at a time, and never held in memory. The job's progress gets events of each
/// blob; [`Event::Finished`](cache_ingest::Event::Finished) means that the blob matches its descriptor,
/// [`Event::Failed`](cache_ingest::Event::Failed) that it could not be read or has a defect.
///
/// Reading blobs needs a Tokio runtime, whose threads for blocking work decompress.
///
/// # Errors
/// [`VerifyError`] if the name does not exist or stands for no cache, if the store does not give the manifest, or without a
/// Tokio runtime. Every other defect is a finding.
pub async fn verify(
    store: &dyn ReadStore,
    name: &Name,
    options: &VerifyOptions,
    job: &Job,
) -> Result<Report, VerifyError> {
    verify_with(store, name, options, job, &()).await
}

/// As [`verify`], and lets another reader read the tars of layers in the same pass. It gets none if
/// [`blobs`](VerifyOptions::blobs) are not read.
///
/// # Errors
/// As [`verify`].
pub async fn verify_with(
    store: &dyn ReadStore,
    name: &Name,
    options: &VerifyOptions,
    job: &Job,
    reader: &dyn LayerReader,
) -> Result<Report, VerifyError> {
    if options.blobs && tokio::runtime::Handle::try_current().is_err() {
        return Err(VerifyError::NoRuntime(Error::no_runtime("verify", "the blobs of layers")));
    }
    let resolved = store.resolve(name).await.map_err(VerifyError::Resolve)?;
    let checker = BlobChecker { provider: store, options, job, reader };
    let mut walk = MetadataWalk::new(checker);
    let bytes = read_subject(&mut walk, checker, &resolved).await?;
    let subject = resolved.descriptor;
    if let Some(bytes) = bytes {
        match unpack(&subject, &bytes) {
            Err(error) => walk.manifest_finding(&subject, FindingKind::ManifestUnreadable { error }),
            Ok(Unpacked::Cache(manifest)) => walk.cache(&subject, manifest).await,
            Ok(Unpacked::Other(document)) => {
                let digest = subject.digest;
                let walked = walk.images(&subject, document).await;
                walked.map_err(|found| VerifyError::NotACache { digest, found: Box::new(found) })?;
            }
        }
    }
    let checks = BlobChecks::of(walk.sections.iter().flat_map(|section| &section.layers));
    let outcomes = checker.check_all(checks.list()).await;
    outcomes.iter().for_each(|outcome| walk.count_bytes(outcome.bytes));
    let layers = || checks.list().iter().map(|check| check.descriptor.digest);
    let blobs: HashSet<Digest> = layers().collect();
    let read = layers().zip(&outcomes).filter(|(_, outcome)| outcome.was_read);
    let blobs_read: HashSet<Digest> = read.map(|(digest, _)| digest).collect();
    let (form, caches, records) = (walk.form, walk.caches, walk.records);
    let (manifests, configs) = (walk.manifests.len() as u64, walk.configs.len() as u64);
    let bytes = walk.bytes;
    let mut steps = STEPS;
    let mut findings = Vec::new();
    for mut section in walk.sections {
        section.about_layers.extend(checks.findings(&section, &outcomes, &mut steps));
        // The sort is stable: findings about one position stay in the order of the checks.
        section.about_layers.sort_by_key(|finding| finding.layers().first().copied().unwrap_or(usize::MAX));
        section.about_records.sort_by_key(|finding| finding.records().first().copied());
        findings.append(&mut section.about_metadata);
        findings.append(&mut section.about_layers);
        findings.append(&mut section.about_records);
    }
    let (blobs, blobs_read) = (blobs.len() as u64, blobs_read.len() as u64);
    Ok(Report { subject, form, caches, records, blobs, blobs_read, configs, manifests, bytes, findings })
}

/// The bytes of the manifest that the name stands for. `None` if they are a finding instead.
async fn read_subject(
    walk: &mut MetadataWalk<'_>,
    checker: BlobChecker<'_>,
    resolved: &Resolved,
) -> Result<Option<Bytes>, VerifyError> {
    let subject = &resolved.descriptor;
    let kind = match checker.resolved(resolved).await {
        Ok(bytes) => {
            walk.count_manifest(subject, &bytes);
            return Ok(Some(bytes));
        }
        Err(Unread::TooLarge(kind)) => kind,
        Err(Unread::Failed(error)) if is_about_the_content(error.kind()) => {
            checker.fault(subject, error).await
        }
        Err(Unread::Failed(error)) => return Err(VerifyError::Store(error)),
    };
    walk.manifest_finding(subject, kind);
    Ok(None)
}

fn is_about_the_content(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::TooLarge)
}
