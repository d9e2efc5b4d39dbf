//! Exports what is left of a cache: blobs that are missing or damaged count as absent.
//!
//! The layers are copied first, since only a copy shows that a blob is damaged. The rest is as in any export.

use std::collections::{BTreeMap, HashMap, HashSet};

use cache_ingest::{Error, ErrorKind, Event, Job, Provider, Side, Step, Stored, Summary, copy, presence};
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
    salvage.look_up(chains).await.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let form = to.form.unwrap_or_default();
    let (packed, warnings) = loop {
        let (packed, warnings) = marshal_and_pack(chains, form, &|blob| salvage.intact.contains(blob))?;
        let layers = packed.iter().flat_map(|packed| &packed.layers);
        // A damaged blob makes other results the newest ones, which may need other layers.
        if salvage.copy(layers).await? {
            break (packed, warnings);
        }
    };
    let mut exported = Exported::default();
    let damaged = salvage.damaged.iter();
    let damaged =
        damaged.map(|(&digest, reason)| ExportWarning::DamagedBlob { digest, reason: reason.clone() });
    exported.warn(damaged.chain(warnings), job);
    if let Some(packed) = packed {
        let copied = salvage.summary(&packed.layers);
        Upload::new(packed, form, provider, to, job)
            .with_copied_layers(copied)
            .publish(&mut exported)
            .await?;
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
    /// How the blobs that were copied came to be in the destination, also those that the new cache does not need.
    copied: HashMap<Digest, Stored>,
    /// Why blobs are left out. The order is that of the warnings, so it must not depend on timing.
    damaged: BTreeMap<Digest, String>,
}

impl<'a> Salvage<'a> {
    fn new(provider: &'a dyn Provider, to: &'a Destination<'a>, job: &'a Job) -> Self {
        let (intact, copied, damaged) = (HashSet::new(), HashMap::new(), BTreeMap::new());
        Self { provider, to, job, intact, copied, damaged }
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
                Err(error) if error.kind() == ErrorKind::Corrupt => self.note_damage(blob, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Copies the layers that were not copied before; false if one of them turns out to be damaged.
    async fn copy(&mut self, layers: impl Iterator<Item = &Descriptor>) -> Result<bool, ExportError> {
        let mut new = distinct(layers);
        new.retain(|layer| !self.copied.contains_key(&layer.digest));
        if !new.is_empty() {
            let bytes = new.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
            self.job.event(&Event::Planned { blobs: new.len() as u64, bytes });
        }
        let (provider, to, job) = (self.provider, self.to, self.job);
        let mut copies = stream::iter(new)
            .map(|layer| async move {
                let stored = copy(Step::Layer, layer, provider, to.store, job).await;
                (layer, stored)
            })
            .buffer_unordered(job.concurrency.max(1));
        let mut are_intact = true;
        while let Some((layer, stored)) = copies.next().await {
            match stored {
                Ok(stored) => {
                    self.copied.insert(layer.digest, stored);
                }
                Err(error) if is_damage(&error) => {
                    self.intact.remove(&layer.digest);
                    self.note_damage(layer, &error);
                    are_intact = false;
                }
                Err(error) => return Err(ExportError::write(Step::Layer, error)),
            }
        }
        Ok(are_intact)
    }

    fn note_damage(&mut self, blob: &Descriptor, error: &Error) {
        self.damaged.insert(blob.digest, error.reason().to_owned());
    }

    /// How these layers came to be in the destination.
    fn summary(&self, layers: &[Descriptor]) -> Summary {
        let mut summary = Summary::default();
        for layer in distinct(layers) {
            if let Some(&stored) = self.copied.get(&layer.digest) {
                summary.count(stored, layer.size);
            }
        }
        summary
    }
}

/// The first of the layers for each digest, in order.
fn distinct<'d>(layers: impl IntoIterator<Item = &'d Descriptor>) -> Vec<&'d Descriptor> {
    let mut seen = HashSet::new();
    layers.into_iter().filter(|layer| seen.insert(layer.digest)).collect()
}

/// Whether a copy failed because the provider has no such blob, or has it with another content.
fn is_damage(error: &Error) -> bool {
    error.side() == Some(Side::Source) && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt)
}
