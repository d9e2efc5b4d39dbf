//! A cache that is copied again and again.
//!
//! It is read once; a copy of it is the one that the program makes.

use std::path::Path;

use anyhow::{Context, Result};
use async_trait::async_trait;
use cache_export::{Destination, Existing, republish};
use cache_format::{CacheManifest, decode_config};
use cache_import::{ImportOptions, OpenedCache, open};
use cache_ingest::{ByteStream, CopyOptions, Error, Expect, Info, LayoutStore, Name, Provider};
use cache_model::{CacheConfig, Descriptor, Digest};

/// How the blobs of a sample are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As files, which are cloned.
    Files,
    /// As streams, as from a network.
    Streams,
}

pub(crate) struct Sample {
    store: Box<dyn Provider>,
    opened: OpenedCache,
    manifest: CacheManifest,
    config_bytes: bytes::Bytes,
    config: CacheConfig,
}

impl Sample {
    /// Reads the cache of a folder.
    pub(crate) async fn read(folder: &Path, way: Way) -> Result<Self> {
        let options = ImportOptions::default();
        let store = LayoutStore::open(folder).await?;
        let opened = open(&store, &store, &Name::Unspecified, &options).await?;
        let config_bytes = opened.config_bytes(&store, &options).await?.context("it is no cache")?;
        let manifest = opened.manifest.clone().context("it is no cache")?;
        let config = decode_config(&config_bytes)?;
        let store: Box<dyn Provider> = match way {
            Way::Files => Box::new(store),
            Way::Streams => Box::new(Streams(store)),
        };
        Ok(Self { store, opened, manifest, config_bytes, config })
    }

    /// The digest of its manifest.
    pub(crate) fn digest(&self) -> Digest {
        self.opened.descriptor.digest
    }

    /// Copies it.
    pub(crate) async fn copy(&self, to: &LayoutStore, tag: &str) -> Result<()> {
        let existing = Existing {
            descriptor: &self.opened.descriptor,
            bytes: &self.opened.bytes,
            manifest: &self.manifest,
            config_bytes: &self.config_bytes,
            config: &self.config,
        };
        let name = Name::Tag(tag.to_owned());
        let to = Destination { ingester: to, publisher: to, name: &name, expect: Expect::Any };
        republish(&existing, None, &*self.store, &to, &CopyOptions::default(), &()).await?;
        Ok(())
    }
}

/// A layout whose blobs cannot be had as files.
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
