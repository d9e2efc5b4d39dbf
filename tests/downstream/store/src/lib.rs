//! A store of one's own: a map from keys to bytes, as the object store of a cloud gives it.
//!
//! Blobs have keys that begin with `blobs/`, and manifests are blobs whose descriptor stands under `tags/` or `manifests/`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Expect, Info, Ingester, MemoryStore, Name, Provider, Publisher, Resolved,
    Resolver, Source, Stored, Verifier,
};
use cache_model::Descriptor;

/// A value in the bucket.
#[derive(Clone, Debug)]
enum Value {
    Blob(Bytes),
    Manifest(Descriptor),
}

/// A bucket of keys and values.
#[derive(Debug, Default)]
pub struct Bucket(Mutex<BTreeMap<String, Value>>);

impl Bucket {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.values().keys().cloned().collect()
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blob(&self, operation: &'static str, descriptor: &Descriptor) -> Result<Bytes, Error> {
        match self.values().get(&blob_key(descriptor)) {
            Some(Value::Blob(bytes)) => Ok(bytes.clone()),
            _ => Err(Error::new(ErrorKind::NotFound, operation, descriptor.digest, "no such key")),
        }
    }
}

fn blob_key(descriptor: &Descriptor) -> String {
    format!("blobs/{}", descriptor.digest)
}

/// The key of a name. No name is the tag `latest`.
fn name_key(name: &Name) -> String {
    match name {
        Name::Tag(tag) => format!("tags/{tag}"),
        Name::Digest(digest) => format!("manifests/{digest}"),
        Name::Unspecified => format!("tags/{}", Name::LATEST),
    }
}

#[async_trait]
impl Provider for Bucket {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(self.blob("look up", descriptor)?.len() as u64))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        // The streams of a store in memory serve any bytes that are at hand.
        let bytes = self.blob("open", descriptor)?;
        let memory = MemoryStore::new();
        let inserted = memory.insert(descriptor.media_type.clone(), bytes);
        memory.open(&inserted, offset).await
    }
}

#[async_trait]
impl Ingester for Bucket {
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        if self.blob("look up", descriptor).is_ok_and(|bytes| bytes.len() as u64 == descriptor.size) {
            return Ok(Stored::AlreadyPresent);
        }
        // A source gives its bytes only after it has verified them.
        let bytes = source.read(u64::MAX).await?;
        self.values().insert(blob_key(descriptor), Value::Blob(bytes));
        Ok(Stored::Stored)
    }
}

#[async_trait]
impl Resolver for Bucket {
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        match self.values().get(&name_key(name)) {
            Some(Value::Manifest(descriptor)) => Ok(descriptor.clone().into()),
            _ => Err(Error::new(ErrorKind::NotFound, "resolve", name, "no such key")),
        }
    }
}

#[async_trait]
impl Publisher for Bucket {
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        let mut verifier = Verifier::new(descriptor);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let name = name.to_publish(descriptor)?;
        let mut values = self.values();
        let current = match values.get(&name_key(&name)) {
            Some(Value::Manifest(current)) => Some(current.digest),
            _ => None,
        };
        expect.check(&name, current)?;
        values.insert(blob_key(descriptor), Value::Blob(bytes));
        for key in [name_key(&Name::Digest(descriptor.digest)), name_key(&name)] {
            values.insert(key, Value::Manifest(descriptor.clone()));
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}
