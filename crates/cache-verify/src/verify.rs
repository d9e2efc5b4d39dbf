//! The whole: from a name to a report.
//!
//! First all manifests and configs, then all layers' blobs, then the findings in the order of the cache. It never
//! stops at what is wrong.

use bytes::Bytes;
use cache_format::{Unpacked, unpack};
use cache_ingest::{ErrorKind, Job, Name, ReadStore, Resolved};

use crate::blob::Reading;
use crate::layers::BlobChecks;
use crate::metadata::Unread;
use crate::walk::Walk;
use crate::{FindingKind, Report, VerifyError, VerifyOptions};

/// Verifies the cache that a name stands for: a cache's manifest with all that it names, or an image or an index of
/// images with the inline caches inside them.
///
/// Each distinct blob is read once, several at a time, and never held in memory. The job's progress hears of each blob;
/// [`Event::Finished`](cache_ingest::Event::Finished) comes for those that are what their descriptor says.
///
/// Needs a Tokio runtime, since decompression runs on its threads for blocking work.
///
/// # Errors
/// [`VerifyError`] where the name stands for nothing, or the store does not give the manifest. All else that is wrong
/// is a finding.
pub async fn verify(
    store: &dyn ReadStore,
    name: &Name,
    options: &VerifyOptions,
    job: &Job,
) -> Result<Report, VerifyError> {
    let resolved = store.resolve(name).await.map_err(VerifyError::Resolve)?;
    let reading = Reading { provider: store, options, job };
    let mut walk = Walk::new(reading);
    let bytes = read_subject(&mut walk, reading, &resolved).await?;
    let subject = resolved.descriptor;
    if let Some(bytes) = bytes {
        match unpack(&subject, &bytes) {
            Err(error) => walk.manifest_finding(&subject, FindingKind::ManifestUnreadable { error }),
            Ok(Unpacked::Cache(manifest)) => walk.cache(&subject, manifest).await,
            Ok(Unpacked::Other(document)) => walk.images(&subject, document).await,
        }
    }
    let checks = BlobChecks::of(walk.sections.iter().flat_map(|section| &section.layers));
    let outcomes = reading.look_at_all(checks.list()).await;
    for (check, outcome) in checks.list().iter().zip(&outcomes) {
        walk.count(&check.descriptor, outcome.bytes);
    }
    let (form, caches, records) = (walk.form, walk.caches, walk.records);
    let (blobs, bytes) = (walk.blobs.len() as u64, walk.bytes);
    let mut findings = Vec::new();
    for mut section in walk.sections {
        section.about_layers.extend(checks.findings(&section, &outcomes, options));
        // Stable: what is about one position stays in the order in which it was found.
        section.about_layers.sort_by_key(|finding| finding.layers().first().copied());
        section.about_records.sort_by_key(|finding| finding.records().first().copied());
        findings.append(&mut section.about_metadata);
        findings.append(&mut section.about_layers);
        findings.append(&mut section.about_records);
    }
    Ok(Report { subject, form, caches, records, blobs, bytes, findings })
}

/// The bytes of the manifest that the name stands for; nothing where a finding says why.
async fn read_subject(
    walk: &mut Walk<'_>,
    reading: Reading<'_>,
    resolved: &Resolved,
) -> Result<Option<Bytes>, VerifyError> {
    let subject = &resolved.descriptor;
    let kind = match reading.resolved(resolved).await {
        Ok(bytes) => {
            walk.count(subject, bytes.len() as u64);
            return Ok(Some(bytes));
        }
        Err(Unread::TooLarge(kind)) => kind,
        Err(Unread::Failed(error)) if is_about_the_content(error.kind()) => {
            reading.fault(subject, error).await
        }
        Err(Unread::Failed(error)) => return Err(VerifyError::Store(error)),
    };
    walk.count(subject, 0);
    walk.manifest_finding(subject, kind);
    Ok(None)
}

fn is_about_the_content(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::TooLarge)
}
