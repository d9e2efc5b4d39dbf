//! Exporting chains: which blobs are there is asked once, then all is decided, then all is copied.

use cache_format::{Packed, pack};
use cache_ingest::{Job, Provider, Side, presence};
use cache_model::{CacheChains, Descriptor, Digest};

use crate::publish::publish;
use crate::{Destination, ExportError, ExportOptions, ExportWarning, Exported};

/// Exports the records of a build.
pub struct Exporter<'p> {
    /// The records.
    pub chains: CacheChains,
    provider: &'p dyn Provider,
}

impl<'p> Exporter<'p> {
    /// An exporter without records, whose layers `provider` has.
    pub fn new(provider: &'p dyn Provider) -> Self {
        Self::with_chains(CacheChains::new(), provider)
    }

    /// An exporter of these records, whose layers `provider` has.
    pub fn with_chains(chains: CacheChains, provider: &'p dyn Provider) -> Self {
        Self { chains, provider }
    }

    /// Copies the layers, writes the config and the manifest, and names it.
    ///
    /// Which layers are there is asked first; a record gives its newest result whose layers all are. Where no record
    /// gives any, nothing is written: that is a success with a warning, as with BuildKit.
    ///
    /// # Errors
    /// [`ExportError::Store`], which says on which side; nothing is then named in the destination, but blobs may be
    /// there.
    pub async fn finalize(
        &self,
        to: &Destination<'_>,
        options: &ExportOptions,
        job: &Job,
    ) -> Result<Exported, ExportError> {
        let present = presence(self.provider, self.chains.blobs(), job);
        let present = present.await.map_err(|error| ExportError::Store(error.on(Side::Source)))?;
        let mut exported = Exported::default();
        let packed = self.pack(options, &|blob| present.contains(blob), job, &mut exported)?;
        if let Some(packed) = packed {
            publish(packed, options.form, self.provider, to, job, &mut exported).await?;
        }
        Ok(exported)
    }

    /// Marshals and packs the records; `None` if no record has a result whose layers are all present.
    fn pack(
        &self,
        options: &ExportOptions,
        present: &dyn Fn(&Digest) -> bool,
        job: &Job,
        exported: &mut Exported,
    ) -> Result<Option<Packed>, ExportError> {
        let marshalled = self.chains.marshal(present).map_err(ExportError::Graph)?;
        for warning in &marshalled.warnings {
            exported.warn(ExportWarning::Marshal(warning.clone()), job);
        }
        if marshalled.config.layers().is_empty() {
            exported.warn(ExportWarning::NoLayers, job);
            return Ok(None);
        }
        let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
        let packed = pack(options.form, &marshalled.config, &layers).map_err(ExportError::Format)?;
        for warning in &packed.warnings {
            exported.warn(ExportWarning::MediaType(warning.clone()), job);
        }
        Ok(Some(packed))
    }
}
