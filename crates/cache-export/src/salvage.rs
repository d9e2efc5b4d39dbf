//! Exports what is left of a cache: blobs that are missing or damaged count as absent.
//!
//! The layers are copied first, since only a copy shows that a blob is damaged. The rest is as in any export.

use std::collections::{HashMap, HashSet};

use cache_ingest::{Error, ErrorKind, Event, Job, Provider, Side, Step, Stored, Summary, copy};
use cache_model::{CacheChains, Descriptor, Digest};
use futures_util::{StreamExt, stream};

use crate::export::Prepared;
use crate::lookup::Lookup;
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
    let found = Lookup::of(chains.blobs(), provider, job).await;
    let found = found.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let mut salvage = Salvage { provider, to, job, found, copied: HashMap::new() };
    let Prepared { cache, totals, warnings } = loop {
        let prepared = Prepared::of(chains, &|blob| salvage.found.intact.contains(blob))?;
        let layers = prepared.cache.iter().flat_map(|cache| &cache.layers);
        // A damaged blob makes other results the newest ones, which may need other layers.
        if salvage.copy(layers).await? {
            break prepared;
        }
    };
    let mut exported = Exported::new(totals);
    exported.warn(ExportWarning::of_damage(&salvage.found.damaged).chain(warnings), job);
    if let Some(cache) = cache {
        let form = to.form.unwrap_or_default();
        let packed = cache.pack(form, provider, job).await?;
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
    /// Without the blobs whose copy has shown damage.
    found: Lookup,
    /// How the blobs that were copied came to be in the destination, also those that the new cache does not need.
    copied: HashMap<Digest, Stored>,
}

impl Salvage<'_> {
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
                    self.found.note_damage(layer, &error);
                    are_intact = false;
                }
                Err(error) => return Err(ExportError::write(Step::Layer, error)),
            }
        }
        Ok(are_intact)
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
