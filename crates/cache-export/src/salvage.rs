//! Exports what is left of a cache: blobs that are missing or damaged count as absent.
//!
//! The layers are copied first, since only a copy shows that a blob is damaged. The rest is as in any export.

use std::collections::{HashMap, HashSet};

use cache_ingest::{Error, ErrorKind, Event, Job, Provider, Side, Step, Summary, copy, presence};
use cache_model::{CacheChains, Descriptor, Digest};
use futures_util::{StreamExt, stream};

use crate::export::marshal_and_pack;
use crate::publish::Upload;
use crate::{Destination, ExportError, ExportWarning, Exported};

/// Exports records as [`export`](crate::export()) does, and does so even if the provider has blobs whose size or content is
/// not that of their descriptors.
///
/// Each record is exported with its newest result whose layers are all present and intact. Each damaged blob is an
/// [`ExportWarning::DamagedBlob`], and each result that is left out is a warning too.
///
/// # Errors
/// As of [`export`](crate::export()). A blob that cannot be read for another reason, for example because the provider does
/// not answer, is an error and never counts as absent.
pub async fn salvage(
    chains: &CacheChains,
    provider: &dyn Provider,
    to: &Destination<'_>,
    job: &Job,
) -> Result<Exported, ExportError> {
    let mut salvage = Salvage::new(provider, to, job);
    let look_up = salvage.look_up(chains).await;
    look_up.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let form = to.form.unwrap_or_default();
    // A damaged blob makes other results the newest ones, which may need other layers.
    let silent = job.clone().with_progress(());
    while let Some(packed) = marshal_and_pack(
        chains,
        form,
        &|blob| salvage.intact.contains(blob),
        &silent,
        &mut Exported::default(),
    )? && !salvage.copy(&packed.layers).await?
    {}
    let mut exported = Exported::default();
    for warning in salvage.damaged {
        exported.warn(warning, job);
    }
    let intact = |blob: &Digest| salvage.intact.contains(blob);
    if let Some(packed) = marshal_and_pack(chains, form, &intact, job, &mut exported)? {
        let upload = Upload::new(packed, form, provider, to, job).with_copied_layers(salvage.summary);
        upload.publish(&mut exported).await?;
    }
    Ok(exported)
}

/// The layers of a cache that may be damaged.
struct Salvage<'a> {
    provider: &'a dyn Provider,
    to: &'a Destination<'a>,
    job: &'a Job,
    /// The blobs that are present, without those whose copy has shown damage.
    intact: HashSet<Digest>,
    copied: HashSet<Digest>,
    summary: Summary,
    damaged: Vec<ExportWarning>,
}

impl<'a> Salvage<'a> {
    fn new(provider: &'a dyn Provider, to: &'a Destination<'a>, job: &'a Job) -> Self {
        let (intact, copied) = (HashSet::new(), HashSet::new());
        Self { provider, to, job, intact, copied, summary: Summary::default(), damaged: Vec::new() }
    }

    /// Looks up which blobs are present with their size.
    async fn look_up(&mut self, chains: &CacheChains) -> Result<(), Error> {
        let blobs: HashMap<Digest, &Descriptor> = chains.blobs().map(|blob| (blob.digest, blob)).collect();
        let (provider, job) = (self.provider, self.job);
        let mut answers = stream::iter(blobs.into_values())
            .map(|blob| async move { (blob, presence(provider, [blob], job).await) })
            .buffer_unordered(job.concurrency.max(1));
        while let Some((blob, answer)) = answers.next().await {
            match answer {
                Ok(present) if present.contains(&blob.digest) => drop(self.intact.insert(blob.digest)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => self.damaged.push(damage(blob, &error)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Copies the layers that were not copied before; false if one of them turns out to be damaged.
    async fn copy(&mut self, layers: &[Descriptor]) -> Result<bool, ExportError> {
        let mut new = layers.to_vec();
        let mut seen = HashSet::new();
        new.retain(|layer| !self.copied.contains(&layer.digest) && seen.insert(layer.digest));
        if !new.is_empty() {
            let bytes = new.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
            self.job.event(&Event::Planned { blobs: new.len() as u64, bytes });
        }
        let (provider, to, job) = (self.provider, self.to, self.job);
        let mut copies = stream::iter(new)
            .map(|layer| async move {
                let stored = copy(Step::Layer, &layer, provider, to.store, job).await;
                (layer, stored)
            })
            .buffer_unordered(job.concurrency.max(1));
        let mut are_intact = true;
        while let Some((layer, stored)) = copies.next().await {
            match stored {
                Ok(stored) => {
                    self.copied.insert(layer.digest);
                    self.summary.count(stored, layer.size);
                }
                Err(error) if is_damage(&error) => {
                    self.intact.remove(&layer.digest);
                    self.damaged.push(damage(&layer, &error));
                    are_intact = false;
                }
                Err(error) => return Err(ExportError::write(Step::Layer, error)),
            }
        }
        Ok(are_intact)
    }
}

/// Whether a copy failed because the provider has no such blob, or has it with another content.
fn is_damage(error: &Error) -> bool {
    error.side() == Some(Side::Source) && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt)
}

fn damage(blob: &Descriptor, error: &Error) -> ExportWarning {
    ExportWarning::DamagedBlob { digest: blob.digest, reason: error.reason().to_owned() }
}
