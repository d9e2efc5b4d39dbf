//! Finds out what an export would write, and writes nothing.
//!
//! Both sides are asked which blobs they have. No blob is read but a layer whose diff ID the form needs, so damage that only
//! the content shows stays unseen.

use std::collections::HashMap;

use cache_ingest::{Error, ErrorKind, Job, Provider, ReadStore, Side, Stored};
use cache_model::{CacheChains, Descriptor, Digest};

use crate::export::Prepared;
use crate::lookup::Lookup;
use crate::publish::warn_of_packed;
use crate::{Destination, ExportError, ExportWarning, Exported};

/// What [`salvage`](crate::salvage) would do: `stored` are blobs that it would write or mount. `store` reads what the
/// destination has.
///
/// # Errors
/// [`ExportError::Store`] if one of the sides does not answer.
pub async fn dry_run(
    chains: &CacheChains,
    provider: &dyn Provider,
    to: &Destination<'_>,
    store: &dyn ReadStore,
    job: &Job,
) -> Result<Exported, ExportError> {
    let found = Lookup::of(chains.blobs(), provider, job).await;
    let found = found.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let Prepared { cache, totals, warnings } = Prepared::of(chains, &|blob| found.intact.contains(blob))?;
    let mut exported = Exported::new(totals);
    exported.warn(ExportWarning::of_damage(&found.damaged).chain(warnings), job);
    let Some(cache) = cache else { return Ok(exported) };
    let form = to.form.unwrap_or_default();
    let mut packed = cache.pack(form, provider, job).await?;
    packed.annotate(to.annotations).map_err(ExportError::Format)?;
    warn_of_packed(&packed, form, &mut exported, job);
    let failed = |error: Error| ExportError::Store(error.on(Side::Destination));
    let layers: HashMap<Digest, &Descriptor> =
        packed.layers.iter().map(|layer| (layer.digest, layer)).collect();
    let metadata = packed.metadata.iter().map(|blob| &blob.descriptor);
    let all = layers.values().copied().chain(metadata);
    let there = Lookup::of(all.clone(), store, job).await.map_err(failed)?;
    let stored = |blob: &Descriptor| match there.intact.contains(&blob.digest) {
        true => Stored::AlreadyPresent,
        false => Stored::Stored,
    };
    for blob in all {
        exported.blobs.count(stored(blob), blob.size);
    }
    let root = packed.root.descriptor.clone();
    let before = match store.resolve_descriptor(to.name).await {
        Ok(before) => Some(before.digest),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let is_published = before == Some(root.digest);
    exported.manifest_stored = Some(if is_published { Stored::AlreadyPresent } else { Stored::Stored });
    exported.replaced = before.filter(|_| !is_published);
    exported.config_stored = Some(stored(packed.config()));
    exported.config = Some(packed.config().clone());
    exported.manifest = Some(root);
    Ok(exported)
}
