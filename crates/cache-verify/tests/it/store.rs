//! A store that lies and fails on request, and counts how often a blob is opened.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{ByteStream, Error, ErrorKind, Info, MemoryStore, Name, Provider, Resolved, Resolver};
use cache_model::{Descriptor, Digest, MediaType};
use futures_util::stream;

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) memory: MemoryStore,
    /// What is given in the place of blobs.
    pub(crate) lies: HashMap<Digest, Bytes>,
    /// Which blobs cannot be read, and how that fails.
    pub(crate) failing: HashMap<Digest, ErrorKind>,
    /// The greatest size of a chunk; 0 for whatever the memory gives.
    pub(crate) chunk: usize,
    pub(crate) opened: Mutex<Vec<Digest>>,
}

impl Store {
    pub(crate) fn insert(&self, media_type: MediaType, bytes: impl Into<Bytes>) -> Descriptor {
        self.memory.insert(media_type, bytes)
    }

    fn content(&self, descriptor: &Descriptor) -> Result<Bytes, Error> {
        let digest = descriptor.digest;
        if let Some(kind) = self.failing.get(&digest) {
            return Err(Error::new(*kind, "open", digest, "the store says no"));
        }
        let content = self.lies.get(&digest).cloned().or_else(|| self.memory.blob(&digest));
        content.ok_or_else(|| Error::new(ErrorKind::NotFound, "open", digest, "no such blob"))
    }
}

#[async_trait]
impl Provider for Store {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(self.content(descriptor)?.len() as u64))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let content = self.content(descriptor)?.slice(offset as usize..);
        self.opened.lock().unwrap().push(descriptor.digest);
        let chunk = if self.chunk == 0 { 1 << 18 } else { self.chunk };
        let chunks: Vec<_> = (0..content.len())
            .step_by(chunk)
            .map(|at| content.slice(at..content.len().min(at + chunk)))
            .collect();
        Ok(Box::pin(stream::iter(chunks.into_iter().map(Ok))))
    }
}

#[async_trait]
impl Resolver for Store {
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        // Without the bytes: they are read, and lied about, like those of any blob.
        self.memory.resolve(name).await.map(|resolved| Resolved::new(resolved.descriptor))
    }
}
