//! Exports records: looks up which blobs are present, once, then decides on the whole cache, then writes it.

use cache_format::{Form, Packed, pack};
use cache_ingest::{Job, Provider, Side, presence};
use cache_model::{CacheChains, Descriptor, Digest};

use crate::publish::Upload;
use crate::{Counts, Destination, ExportError, ExportWarning, Exported};

/// Exports records: copies the layers from `provider`, writes the config and the manifest, and names the manifest.
///
/// Each record is exported with its newest result whose layers are all in the provider. If no record has such a result,
/// nothing is written, and the export succeeds with a warning, as with BuildKit.
///
/// # Errors
/// [`ExportError::Store`] and [`ExportError::Write`], which say on which side. Then the destination's names are unchanged,
/// but blobs may have been stored.
pub async fn export(
    chains: &CacheChains,
    provider: &dyn Provider,
    to: &Destination<'_>,
    job: &Job,
) -> Result<Exported, ExportError> {
    let present = presence(provider, chains.blobs(), job);
    let present = present.await.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let form = to.form.unwrap_or_default();
    let Prepared { packed, counts, warnings } =
        marshal_and_pack(chains, form, &|blob| present.contains(blob))?;
    let mut exported = Exported::new(counts);
    exported.warn(warnings, job);
    if let Some(packed) = packed {
        Upload::new(packed, form, provider, to, job).publish(&mut exported).await?;
    }
    Ok(exported)
}

/// A cache that is ready to be written.
pub(crate) struct Prepared {
    /// The cache of the results whose layers are all present; `None` if there is no such result.
    pub(crate) packed: Option<Packed>,
    pub(crate) counts: Counts,
    /// What is left out.
    pub(crate) warnings: Vec<ExportWarning>,
}

/// Prepares the cache of the results whose layers are all present.
pub(crate) fn marshal_and_pack(
    chains: &CacheChains,
    form: Form,
    present: &dyn Fn(&Digest) -> bool,
) -> Result<Prepared, ExportError> {
    let marshalled = chains.marshal(present).map_err(ExportError::Graph)?;
    let mut warnings: Vec<_> = marshalled.warnings.iter().cloned().map(ExportWarning::Marshal).collect();
    if marshalled.config.layers().is_empty() {
        warnings.push(ExportWarning::NoLayers);
        return Ok(Prepared { packed: None, counts: Counts::default(), warnings });
    }
    let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
    let packed = pack(form, &marshalled.config, &layers).map_err(ExportError::Format)?;
    warnings.extend(packed.warnings.iter().cloned().map(ExportWarning::MediaType));
    Ok(Prepared { packed: Some(packed), counts: Counts::of_marshalled(&marshalled), warnings })
}
