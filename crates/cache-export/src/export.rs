//! Exports records: looks up which blobs are present, once, then decides on the whole cache, then writes it.

use cache_format::{Form, Packed, pack};
use cache_ingest::{Job, Provider, Side, presence};
use cache_model::{CacheChains, Descriptor, Digest};

use crate::publish::Upload;
use crate::{Destination, ExportError, ExportWarning, Exported};

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
    let (packed, warnings) = marshal_and_pack(chains, form, &|blob| present.contains(blob))?;
    let mut exported = Exported::default();
    exported.warn(warnings, job);
    if let Some(packed) = packed {
        Upload::new(packed, form, provider, to, job).publish(&mut exported).await?;
    }
    Ok(exported)
}

/// The cache of the results whose layers are all present, `None` if there is no such result, and what is left out.
pub(crate) fn marshal_and_pack(
    chains: &CacheChains,
    form: Form,
    present: &dyn Fn(&Digest) -> bool,
) -> Result<(Option<Packed>, Vec<ExportWarning>), ExportError> {
    let marshalled = chains.marshal(present).map_err(ExportError::Graph)?;
    let mut warnings: Vec<_> = marshalled.warnings.iter().cloned().map(ExportWarning::Marshal).collect();
    if marshalled.config.layers().is_empty() {
        warnings.push(ExportWarning::NoLayers);
        return Ok((None, warnings));
    }
    let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
    let packed = pack(form, &marshalled.config, &layers).map_err(ExportError::Format)?;
    warnings.extend(packed.warnings.iter().cloned().map(ExportWarning::MediaType));
    Ok((Some(packed), warnings))
}
