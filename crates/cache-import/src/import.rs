//! Importing: from an opened manifest to chains.
//!
//! A result whose layer the manifest does not list, and an image that is missing or has no inline cache, are left out
//! with a warning that has the reason.

use cache_format::{CacheOrigin, Unpacked, decode_config};
use cache_ingest::{Job, Provider};

use crate::imported::Imported;
use crate::open::read_metadata;
use crate::{ImportError, OpenedCache, inline};

impl OpenedCache {
    /// Reads the records: from the config that the manifest names, or, for an image or an index of images, from the
    /// inline caches inside.
    ///
    /// # Errors
    /// [`ImportError::Graph`] and [`ImportError::Format`] for a config that makes no sense,
    /// [`ImportError::NotACache`] if there is no cache, and the errors of the store.
    pub async fn import(&self, provider: &dyn Provider, job: &Job) -> Result<Imported, ImportError> {
        let manifest = match &self.unpacked {
            Unpacked::Cache(manifest) => manifest,
            Unpacked::Other(document) => {
                return inline::import(&self.descriptor, document, provider, job).await;
            }
        };
        let config_bytes = read_metadata(provider, &manifest.config, "cache config", job).await?;
        let digest = manifest.config.digest;
        let config = decode_config(&config_bytes)
            .map_err(|cause| ImportError::Format { digest, cause: Box::new(cause) })?;
        let origin = CacheOrigin::Manifest { form: manifest.form, config: manifest.config.clone() };
        let mut imported = Imported::default();
        imported.load(origin, config_bytes, config, manifest.layers.clone(), digest)?;
        Ok(imported)
    }
}
