//! Copying a cache that exists: every byte kept, or the manifest rebuilt in another form around the same config.
//!
//! Never looks at the records, so nothing of them can be lost or reordered.

use bytes::Bytes;
use cache_format::{CacheManifest, Form};
use cache_ingest::{Job, Provider};
use cache_model::{CacheConfig, Descriptor, Digest};

use crate::publish::publish;
use crate::{Destination, ExportError, ExportWarning, Exported};

/// A cache that exists: its manifest and config, as they were read and verified.
#[derive(Clone, Debug)]
pub struct Existing<'a> {
    /// The descriptor of the manifest.
    pub descriptor: &'a Descriptor,
    /// The bytes of the manifest.
    pub bytes: &'a Bytes,
    /// What they say.
    pub manifest: &'a CacheManifest,
    /// The bytes of the config.
    pub config_bytes: &'a Bytes,
    /// What they say.
    pub config: &'a CacheConfig,
}

/// Copies a cache. Without a form, or with the form that it has, every byte is kept; with another the manifest is
/// built anew, with its artifact type, subject and annotations, and the config's bytes are kept.
///
/// # Errors
/// [`ExportError::Store`], which says on which side; [`ExportError::MissingBlob`] where the manifest does not list a
/// layer of the config, so that it cannot be rebuilt.
pub async fn republish(
    existing: &Existing<'_>,
    form: Option<Form>,
    provider: &dyn Provider,
    to: &Destination<'_>,
    job: &Job,
) -> Result<Exported, ExportError> {
    let form = form.unwrap_or(existing.manifest.form);
    let mut exported = Exported::default();
    let config_bytes = existing.config_bytes.to_vec();
    let packed = if form == existing.manifest.form {
        let manifest = existing.manifest.clone();
        manifest.pack_unchanged(existing.descriptor.digest, existing.bytes.to_vec(), config_bytes)
    } else {
        let layers = listed_layers(existing)?;
        let manifest = CacheManifest { form, layers, ..existing.manifest.clone() };
        manifest.pack(config_bytes).map_err(ExportError::Format)?
    };
    for warning in &packed.warnings {
        exported.warn(ExportWarning::MediaType(warning.clone()), job);
    }
    publish(packed, form, provider, to, job, &mut exported).await?;
    Ok(exported)
}

/// The layers for a rebuilt manifest: those that it lists, once it is sure that they are one for each layer of the
/// config; else, as other tools may drop repeated entries, one for each layer of the config, by digest.
fn listed_layers(existing: &Existing<'_>) -> Result<Vec<Descriptor>, ExportError> {
    let listed = &existing.manifest.layers;
    let wanted = existing.config.layers();
    let fits =
        |(descriptor, layer): (&Descriptor, &cache_model::ConfigLayer)| layer.blob == Some(descriptor.digest);
    if listed.len() == wanted.len() && listed.iter().zip(wanted).all(fits) {
        return Ok(listed.clone());
    }
    let by_digest: std::collections::HashMap<Digest, &Descriptor> =
        listed.iter().map(|descriptor| (descriptor.digest, descriptor)).collect();
    let mut layers = Vec::with_capacity(wanted.len());
    for (position, layer) in wanted.iter().enumerate() {
        let Some(digest) = layer.blob else { continue };
        match by_digest.get(&digest) {
            Some(descriptor) => layers.push((*descriptor).clone()),
            None => return Err(ExportError::MissingBlob { digest, layer: position }),
        }
    }
    Ok(layers)
}
