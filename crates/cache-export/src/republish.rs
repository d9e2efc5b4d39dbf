//! Copies an existing cache: every byte is kept, or the same config gets a manifest in another form.
//!
//! Never chooses among the records, so none of them can be lost or reordered.

use std::collections::HashMap;

use bytes::Bytes;
use cache_format::{CacheManifest, decode_config};
use cache_ingest::{Job, Provider};
use cache_model::{CacheConfig, ConfigLayer, Descriptor, Digest};

use crate::diff_ids::complete_diff_ids;
use crate::publish::Upload;
use crate::{Destination, ExportError, ExportWarning, Exported};

/// An existing cache: its manifest and config, read and verified.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ExistingCache<'a> {
    /// The descriptor of the manifest.
    pub descriptor: &'a Descriptor,
    /// The bytes of the manifest.
    pub bytes: &'a Bytes,
    /// The manifest, decoded from these bytes.
    pub manifest: &'a CacheManifest,
    /// The bytes of the config.
    pub config_bytes: &'a Bytes,
    /// The config, if the caller has decoded it from these bytes. Only a change of form reads it.
    pub config: Option<&'a CacheConfig>,
}

impl<'a> ExistingCache<'a> {
    /// An existing cache. `manifest` is decoded from `bytes`, and `descriptor` describes them.
    pub fn new(
        descriptor: &'a Descriptor,
        bytes: &'a Bytes,
        manifest: &'a CacheManifest,
        config_bytes: &'a Bytes,
    ) -> Self {
        Self { descriptor, bytes, manifest, config_bytes, config: None }
    }

    /// The same cache with its decoded config, so that a change of form does not decode it again.
    #[must_use]
    pub fn with_config(self, config: &'a CacheConfig) -> Self {
        Self { config: Some(config), ..self }
    }
}

/// Copies a cache. If the destination asks for no form, or for the form of the cache, every byte is kept. For another
/// form the manifest is built anew, with its artifact type, subject and annotations, and the config's bytes are kept. An image
/// ([`Form::Inline`](cache_format::Form::Inline)) gets all records in their order, and layers that state no diff ID are read.
/// Annotations of the destination that the manifest does not have change it, too: [`ExportWarning::ManifestAnnotated`].
///
/// # Errors
/// [`ExportError::Write`], which says on which side; [`ExportError::MissingBlob`] if the manifest does not list a
/// layer of the config, so that it cannot be rebuilt; [`ExportError::NoDiffId`] and [`ExportError::Format`] for a layer that an
/// image cannot have.
pub async fn republish(
    existing: &ExistingCache<'_>,
    provider: &dyn Provider,
    to: &Destination<'_>,
    job: &Job,
) -> Result<Exported, ExportError> {
    let form = to.form.unwrap_or(existing.manifest.form);
    let mut exported = Exported::default();
    let config_bytes = existing.config_bytes.clone();
    let packed = if form == existing.manifest.form {
        let manifest = existing.manifest.clone();
        let mut packed = manifest.pack_unchanged(existing.descriptor, existing.bytes.clone(), config_bytes);
        let before = packed.root.descriptor.digest;
        if packed.annotate(to.annotations).map_err(ExportError::Format)? {
            exported.warn([ExportWarning::ManifestAnnotated { before }], job);
        }
        packed
    } else {
        let decoded;
        let config = match existing.config {
            Some(config) => config,
            None => {
                decoded = decode_config(existing.config_bytes).map_err(ExportError::Format)?;
                &decoded
            }
        };
        let mut layers = listed_layers(&existing.manifest.layers, config)?;
        complete_diff_ids(&mut layers, form, provider, job).await?;
        let manifest = CacheManifest { layers, ..existing.manifest.clone() };
        manifest.pack_as(form, config, config_bytes).map_err(ExportError::Format)?
    };
    Upload::new(packed, form, provider, to, job).publish(&mut exported).await?;
    Ok(exported)
}

/// The layers for a rebuilt manifest, one for each layer of the config. A tool that drops repeated entries may have
/// written the old manifest, so if its list does not match the config's, the layers are looked up by digest.
fn listed_layers(listed: &[Descriptor], config: &CacheConfig) -> Result<Vec<Descriptor>, ExportError> {
    let wanted = config.layers();
    let fits = |(descriptor, layer): (&Descriptor, &ConfigLayer)| layer.blob == Some(descriptor.digest);
    if listed.len() == wanted.len() && listed.iter().zip(wanted).all(fits) {
        return Ok(listed.to_vec());
    }
    let by_digest: HashMap<Digest, &Descriptor> =
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
