//! A cache that is read once and copied many times, in the way in which the program copies.

use anyhow::{Context, Result};
use async_trait::async_trait;
use cache_export::{Destination, ExistingCache, export, republish};
use cache_format::CacheManifest;
use cache_import::{OpenedCache, open};
use cache_ingest::{
    ByteStream, Error, Hasher, Info, Ingester, Job, LayoutOptions, LayoutStore, MemoryStore, Name, Provider,
    Resolver, Source,
};
use cache_model::{Algorithm, CacheChains, Descriptor, Digest, MediaType, NewResult, Timestamp};

use crate::folders::fixture;

/// The cache of a sample, and how its blobs are provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// A fixture of this repository, by name; its blobs are files, which a copy may clone.
    Files(&'static str),
    /// A fixture of this repository, by name; its blobs are streams, as from a network.
    Streams(&'static str),
    /// A small cache made here, with layers of sha512 digests; its blobs are streams.
    Sha512,
}

pub(crate) struct Sample {
    store: Box<dyn Provider>,
    opened: OpenedCache,
    manifest: CacheManifest,
    config_bytes: bytes::Bytes,
}

impl Sample {
    /// Reads a cache.
    pub(crate) async fn read(cache: Cache) -> Result<Self> {
        let layout = async |name| LayoutStore::open(fixture(name), LayoutOptions::default()).await;
        match cache {
            Cache::Files(name) => Self::of(layout(name).await?, |store| store).await,
            Cache::Streams(name) => Self::of(layout(name).await?, Streams).await,
            Cache::Sha512 => Self::of(with_sha512().await?, |store| store).await,
        }
    }

    /// Reads the cache of a store; `given` turns the store into the provider of the blobs.
    async fn of<S, P>(store: S, given: impl FnOnce(S) -> P) -> Result<Self>
    where
        S: Provider + Resolver,
        P: Provider + 'static,
    {
        let options = Job::default();
        let opened = open(&store, &Name::Unspecified, &options).await?;
        let config_bytes = opened.config_bytes(&store, &options).await?.context("it is no cache")?;
        let manifest = opened.manifest().cloned().context("it is no cache")?;
        Ok(Self { store: Box::new(given(store)), opened, manifest, config_bytes })
    }

    /// The digest of its manifest.
    pub(crate) fn digest(&self) -> Digest {
        self.opened.descriptor.digest
    }

    /// Copies it to a tag.
    pub(crate) async fn copy(&self, to: &LayoutStore, tag: &str) -> Result<()> {
        let OpenedCache { descriptor, bytes, .. } = &self.opened;
        let existing = ExistingCache::new(descriptor, bytes, &self.manifest, &self.config_bytes);
        let name = Name::Tag(tag.to_owned());
        let to = Destination::new(to, &name);
        republish(&existing, &*self.store, &to, &Job::default()).await?;
        Ok(())
    }
}

/// A cache of two layers with sha512 digests.
async fn with_sha512() -> Result<MemoryStore> {
    let store = MemoryStore::new();
    let mut layers = Vec::new();
    for byte in [b'a', b'b'] {
        let bytes = vec![byte; 3000];
        let media_type = MediaType::OCI_LAYER_TAR;
        let digest = Hasher::digest(Algorithm::Sha512, &bytes);
        let layer = Descriptor::new(media_type, digest, bytes.len() as u64);
        store.put(&layer, &Source::from_bytes(layer.clone(), bytes)).await?;
        layers.push(layer);
    }
    let mut chains = CacheChains::new();
    let layer = chains.layers(&layers)?;
    let created_at: Timestamp = "2026-01-02T03:04:05Z".parse()?;
    chains.add(&"sha256:step".into(), &[], &[NewResult { created_at, layer }])?;
    let name = Name::Unspecified;
    let to = Destination::new(&store, &name);
    export(&chains, &store, &to, &Job::default()).await?;
    Ok(store)
}

/// A layout that provides no files, only streams.
struct Streams(LayoutStore);

#[async_trait]
impl Provider for Streams {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.0.open(descriptor, offset).await
    }
}
