//! Opening a cache: from a name to its manifest or index, verified and decoded.
//!
//! The cache config is not read here.

use bytes::Bytes;
use cache_format::{CacheManifest, FormatError, ManifestOrIndex, Unpacked, unpack};
use cache_ingest::{Event, Job, Name, Provider, ProviderExt, ReadStore, Resolved};
use cache_model::Descriptor;

use crate::ImportError;

/// The manifest or index that a name stands for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedCache {
    /// Its descriptor, from the store.
    pub descriptor: Descriptor,
    /// Its bytes, verified.
    pub bytes: Bytes,
    /// What the bytes say: the manifest of a cache, or another document, which may be an image with a cache inside.
    pub unpacked: Unpacked,
}

/// Resolves a name and reads the manifest or index that it stands for.
///
/// The event that the manifest is imported is the caller's, which alone knows the whole reference.
///
/// # Errors
/// [`ImportError::Store`], [`ImportError::TooLarge`], and [`ImportError::Format`] for any other document.
pub async fn open(store: &dyn ReadStore, name: &Name, job: &Job) -> Result<OpenedCache, ImportError> {
    let resolved = store.resolve(name).await.map_err(ImportError::Store)?;
    open_resolved(store, &resolved, job).await
}

/// Reads the manifest or index that a store has resolved a name to.
///
/// # Errors
/// Those of [`open`].
pub async fn open_resolved(
    provider: &dyn Provider,
    resolved: &Resolved,
    job: &Job,
) -> Result<OpenedCache, ImportError> {
    check_size(&resolved.descriptor, "manifest", job)?;
    let descriptor = resolved.descriptor.clone();
    let bytes = resolved.read(provider, job).await.map_err(ImportError::Store)?;
    let unpacked = unpack(&descriptor, &bytes).map_err(|cause| unreadable(&descriptor, cause))?;
    Ok(OpenedCache { descriptor, bytes, unpacked })
}

impl OpenedCache {
    /// The manifest of a cache; `None` if no descriptor in the document has the cache config's media type.
    pub fn manifest(&self) -> Option<&CacheManifest> {
        match &self.unpacked {
            Unpacked::Cache(manifest) => Some(manifest),
            Unpacked::Other(_) => None,
        }
    }

    /// Reads the bytes of the cache config; `None` if this is not the manifest of a cache.
    ///
    /// # Errors
    /// [`ImportError::Store`] and [`ImportError::TooLarge`].
    pub async fn config_bytes(
        &self,
        provider: &dyn Provider,
        job: &Job,
    ) -> Result<Option<Bytes>, ImportError> {
        let Some(manifest) = self.manifest() else { return Ok(None) };
        read_metadata(provider, &manifest.config, "cache config", job).await.map(Some)
    }
}

pub(crate) fn decode(descriptor: &Descriptor, bytes: &[u8]) -> Result<ManifestOrIndex, ImportError> {
    ManifestOrIndex::decode(bytes).map_err(|cause| unreadable(descriptor, cause))
}

fn unreadable(descriptor: &Descriptor, cause: FormatError) -> ImportError {
    ImportError::Format { digest: descriptor.digest, cause: Box::new(cause) }
}

/// Reads a blob whole and verified, unless it is above the limit.
pub(crate) async fn read_metadata(
    provider: &dyn Provider,
    descriptor: &Descriptor,
    what: &'static str,
    job: &Job,
) -> Result<Bytes, ImportError> {
    check_size(descriptor, what, job)?;
    job.event(&Event::Importing { what, from: &descriptor.digest.to_string() });
    provider.read(descriptor, job).await.map_err(ImportError::Store)
}

fn check_size(descriptor: &Descriptor, what: &'static str, job: &Job) -> Result<(), ImportError> {
    let (size, limit) = (descriptor.size, job.max_metadata);
    if size > limit {
        return Err(ImportError::TooLarge { what, digest: descriptor.digest, size, limit });
    }
    Ok(())
}
