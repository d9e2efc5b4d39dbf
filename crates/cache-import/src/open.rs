//! Opening: from a name to the manifest or index behind it, verified and understood.

use bytes::Bytes;
use cache_format::{CacheManifest, ManifestOrIndex};
use cache_ingest::{Name, Provider, ProviderExt, Resolver};
use cache_model::Descriptor;

use crate::ImportError;

/// How caches are imported.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The greatest size, in bytes, of a manifest, config or image config; 64 MiB by default.
    pub max_metadata_size: u64,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { max_metadata_size: 64 << 20 }
    }
}

/// A manifest or index that a name stands for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedCache {
    /// Its descriptor, as the store has it.
    pub descriptor: Descriptor,
    /// Its bytes, verified.
    pub bytes: Bytes,
    /// What the bytes say.
    pub document: ManifestOrIndex,
    /// The same as the manifest of a cache; `None` where no descriptor has the cache config's media type, as in an
    /// image, which may have a cache inside.
    pub manifest: Option<CacheManifest>,
}

/// Resolves a name and reads the manifest or index that it stands for.
///
/// # Errors
/// [`ImportError::Store`], [`ImportError::TooLarge`], and [`ImportError::Format`] where it is neither.
pub async fn open(
    provider: &dyn Provider,
    resolver: &dyn Resolver,
    name: &Name,
    options: &ImportOptions,
) -> Result<OpenedCache, ImportError> {
    let descriptor = resolver.resolve(name).await.map_err(ImportError::Store)?;
    open_resolved(provider, descriptor, options).await
}

pub(crate) async fn open_resolved(
    provider: &dyn Provider,
    descriptor: Descriptor,
    options: &ImportOptions,
) -> Result<OpenedCache, ImportError> {
    let bytes = read_metadata(provider, &descriptor, "manifest", options).await?;
    let document = decode(&descriptor, &bytes)?;
    let manifest = CacheManifest::from_document(&document);
    Ok(OpenedCache { descriptor, bytes, document, manifest })
}

impl OpenedCache {
    /// Reads the bytes of the cache config; `None` where this is no manifest of a cache.
    ///
    /// # Errors
    /// [`ImportError::Store`] and [`ImportError::TooLarge`].
    pub async fn config_bytes(
        &self,
        provider: &dyn Provider,
        options: &ImportOptions,
    ) -> Result<Option<Bytes>, ImportError> {
        let Some(manifest) = &self.manifest else { return Ok(None) };
        read_metadata(provider, &manifest.config, "cache config", options).await.map(Some)
    }
}

pub(crate) fn decode(descriptor: &Descriptor, bytes: &[u8]) -> Result<ManifestOrIndex, ImportError> {
    ManifestOrIndex::decode(bytes)
        .map_err(|source| ImportError::Format { digest: descriptor.digest, source: Box::new(source) })
}

/// Reads a blob whole and verified, unless it is above the limit.
pub(crate) async fn read_metadata(
    provider: &dyn Provider,
    descriptor: &Descriptor,
    what: &'static str,
    options: &ImportOptions,
) -> Result<Bytes, ImportError> {
    let (size, limit) = (descriptor.size, options.max_metadata_size);
    if size > limit {
        return Err(ImportError::TooLarge { what, digest: descriptor.digest, size, limit });
    }
    provider.read(descriptor, limit).await.map_err(ImportError::Store)
}
