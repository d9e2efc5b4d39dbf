//! Exports records: looks up which blobs are present, once, then decides on the whole cache, then writes it.

use cache_format::{Form, Packed, pack};
use cache_ingest::{Job, Provider, Side, presence};
use cache_model::{CacheChains, CacheConfig, Descriptor, Digest, Totals};

use crate::diff_ids::complete_diff_ids;
use crate::publish::Upload;
use crate::{Destination, ExportError, ExportWarning, Exported};

/// Exports records: copies the layers from `provider`, writes the config and the manifest, and names the manifest.
///
/// Each record is exported with its newest result whose layers are all in the provider. If no record has such a result,
/// nothing is written, and the export succeeds with a warning, as with BuildKit. A form that needs diff IDs
/// ([`Form::is_inline`]) has layers read that state none.
///
/// # Errors
/// [`ExportError::Store`] and [`ExportError::Write`], which say on which side. Then the destination's names are unchanged,
/// but blobs may have been stored. [`ExportError::NoDiffId`] and [`ExportError::Format`] for a layer that the form cannot
/// have, before anything is stored.
pub async fn export(
    chains: &CacheChains,
    provider: &dyn Provider,
    to: &Destination<'_>,
    job: &Job,
) -> Result<Exported, ExportError> {
    let present = presence(provider, chains.blobs(), job);
    let present = present.await.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
    let Prepared { cache, totals, warnings } = Prepared::of(chains, &|blob| present.contains(blob))?;
    let mut exported = Exported::new(totals);
    exported.warn(warnings, job);
    if let Some(cache) = cache {
        let form = to.form.unwrap_or_default();
        let packed = cache.pack(form, provider, job).await?;
        Upload::new(packed, form, provider, to, job).publish(&mut exported).await?;
    }
    Ok(exported)
}

/// What is to be exported of records.
pub(crate) struct Prepared {
    /// The cache of the results whose layers are all present; `None` if there is no such result.
    pub(crate) cache: Option<CompleteCache>,
    pub(crate) totals: Totals,
    /// What is left out.
    pub(crate) warnings: Vec<ExportWarning>,
}

/// A cache whose layers are all present.
pub(crate) struct CompleteCache {
    config: CacheConfig,
    /// A descriptor of each of the config's layers.
    pub(crate) layers: Vec<Descriptor>,
}

impl Prepared {
    /// Prepares the cache of the results whose layers are all present.
    pub(crate) fn of(chains: &CacheChains, present: &dyn Fn(&Digest) -> bool) -> Result<Self, ExportError> {
        let marshalled = chains.marshal(present).map_err(ExportError::Graph)?;
        let mut warnings: Vec<_> = marshalled.warnings.iter().cloned().map(ExportWarning::Marshal).collect();
        if marshalled.config.layers().is_empty() {
            warnings.push(ExportWarning::NoLayers);
            return Ok(Self { cache: None, totals: Totals::default(), warnings });
        }
        let totals = Totals::of_marshalled(&marshalled);
        let layers = marshalled.layer_descriptors().cloned().collect();
        let cache = CompleteCache { config: marshalled.config, layers };
        Ok(Self { cache: Some(cache), totals, warnings })
    }
}

impl CompleteCache {
    /// The cache in a form. If the form needs diff IDs, layers that state none are read.
    pub(crate) async fn pack(
        mut self,
        form: Form,
        provider: &dyn Provider,
        job: &Job,
    ) -> Result<Packed, ExportError> {
        complete_diff_ids(&mut self.layers, form, provider, job).await?;
        pack(form, &self.config, &self.layers).map_err(ExportError::Format)
    }
}
