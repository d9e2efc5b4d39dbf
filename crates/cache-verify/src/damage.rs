//! Which blobs of a cache are missing or damaged, asked of the store alone: no config, no manifest, no diff ID.
//!
//! *Missing* is what the store says. Where it cannot tell, there is no answer: taking a blob for missing on a guess would
//! lose it.

use cache_ingest::{Error, Event, Job, Provider};
use cache_model::Descriptor;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::blob::BlobChecker;
use crate::{FindingKind, VerifyOptions};

/// A blob that a build could not use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedBlob {
    /// The descriptor that it does not match.
    pub descriptor: Descriptor,
    /// Its defect: [`MissingBlob`](FindingKind::MissingBlob), [`ShortBlob`](FindingKind::ShortBlob),
    /// [`LongBlob`](FindingKind::LongBlob) or [`WrongDigest`](FindingKind::WrongDigest).
    pub defect: FindingKind,
}

/// Looks which blobs are missing or have another size, and with `read`, which have other content, as many at a time as the
/// job allows. The answer is sorted by digest.
///
/// The job's progress gets the events of each blob, as from [`verify`](crate::verify()).
///
/// # Errors
/// That of the first blob of which the provider cannot tell whether it has it.
pub async fn damaged_blobs(
    provider: &dyn Provider,
    blobs: impl IntoIterator<Item = &Descriptor>,
    read: bool,
    job: &Job,
) -> Result<Vec<DamagedBlob>, Error> {
    let blobs: Vec<&Descriptor> = blobs.into_iter().collect();
    let bytes = blobs.iter().fold(0u64, |sum, blob| sum.saturating_add(blob.size));
    job.event(&Event::Planned { blobs: blobs.len() as u64, bytes });
    let options = VerifyOptions::default();
    let checker = BlobChecker { provider, options: &options, job, reader: &() };
    let looked = stream::iter(blobs)
        .map(|blob| async move {
            let defect = checker.look(blob, read).await?;
            Ok::<_, Error>(defect.map(|defect| DamagedBlob { descriptor: blob.clone(), defect }))
        })
        .buffer_unordered(job.concurrency.max(1));
    let mut damaged: Vec<DamagedBlob> = looked.try_filter_map(async |found| Ok(found)).try_collect().await?;
    damaged.sort_unstable_by_key(|blob| blob.descriptor.digest);
    Ok(damaged)
}
