//! The whole: from a name to a report.
//!
//! First all manifests and configs, then all layers' blobs, then the findings in the order of the cache. It never
//! stops at what is wrong.

use bytes::Bytes;
use cache_format::{Unpacked, unpack};
use cache_ingest::{ErrorKind, Name, Progress, Provider, Resolver};
use cache_model::Descriptor;

use crate::blob::Reading;
use crate::layers::Jobs;
use crate::metadata::Unread;
use crate::walk::Walk;
use crate::{FindingKind, Report, VerifyError, VerifyOptions};

/// Verifies the cache that a name stands for: a cache's manifest with all that it names, or an image or an index of
/// images with the inline caches inside them.
///
/// Each distinct blob is read once, several at a time, and never held in memory. `progress` hears of each blob;
/// [`Event::Finished`](cache_ingest::Event::Finished) comes for those that are what their descriptor says.
///
/// Needs a Tokio runtime, since decompression runs on its threads for blocking work.
///
/// # Errors
/// [`VerifyError`] where the name stands for nothing, or the store does not give the manifest. All else that is wrong
/// is a finding.
pub async fn verify(
    provider: &dyn Provider,
    resolver: &dyn Resolver,
    name: &Name,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<Report, VerifyError> {
    let subject = resolver.resolve(name).await.map_err(VerifyError::Resolve)?;
    let reading = Reading { provider, options, progress };
    let mut walk = Walk::new(reading);
    if let Some(bytes) = read_subject(&mut walk, reading, &subject).await? {
        match unpack(&subject, &bytes) {
            Err(error) => walk.manifest_finding(&subject, FindingKind::ManifestUnreadable { error }),
            Ok(Unpacked::Cache(manifest)) => walk.cache(&subject, manifest).await,
            Ok(Unpacked::Other(document)) => walk.images(&subject, document).await,
        }
    }
    let jobs = Jobs::of(walk.sections.iter().flat_map(|section| &section.layers));
    let outcomes = reading.look_at_all(jobs.list()).await;
    for (job, outcome) in jobs.list().iter().zip(&outcomes) {
        walk.count(&job.descriptor, outcome.bytes);
    }
    let (form, caches, records) = (walk.form, walk.caches, walk.records);
    let (blobs, bytes) = (walk.blobs.len() as u64, walk.bytes);
    let mut findings = Vec::new();
    for mut section in walk.sections {
        section.about_layers.extend(jobs.findings(&section, &outcomes, options));
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
    subject: &Descriptor,
) -> Result<Option<Bytes>, VerifyError> {
    let kind = match reading.metadata(subject).await {
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
