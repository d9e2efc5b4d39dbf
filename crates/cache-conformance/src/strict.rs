//! A store in memory that is stricter than real ones, for tests of code that writes caches.
//!
//! It never takes a manifest that names absent blobs, and records the order of operations.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Expect, Info, Ingester, Listed, Lister, MemoryStore, Name, Provider,
    Publisher, Referrers, Remover, Resolved, Resolver, Source, Stored,
};
use cache_model::{Descriptor, Digest};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

/// A successful operation of a [`StrictStore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The blob was looked up.
    Info(Descriptor),
    /// The blob was opened at this offset in bytes.
    Open(Descriptor, u64),
    /// The blob was put, or was already present.
    Put(Descriptor, Stored),
    /// The name was resolved.
    Resolve(Name),
    /// The manifest was published.
    Publish(Name, Descriptor),
}

/// A [`MemoryStore`] that refuses faulty requests that a lenient store accepts.
///
/// A manifest names a blob by an object with a `digest`. A manifest is refused as [`ErrorKind::Invalid`] if it is not JSON
/// or gives a blob a wrong size, and as [`ErrorKind::Incomplete`] if a blob is absent. A put is refused as
/// [`ErrorKind::Invalid`] if its descriptor does not match its source, or gives a stored blob a wrong size. Streams come in
/// chunks of uneven lengths, some of them empty.
#[derive(Debug, Default)]
pub struct StrictStore {
    store: MemoryStore,
    operations: Mutex<Vec<Operation>>,
}

impl StrictStore {
    /// A store without blobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The store behind it.
    pub fn memory(&self) -> &MemoryStore {
        &self.store
    }

    /// The successful operations, in order.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The descriptors that were put or published, in order.
    pub fn written(&self) -> Vec<Descriptor> {
        let written = |operation| match operation {
            Operation::Put(descriptor, _) | Operation::Publish(_, descriptor) => Some(descriptor),
            _ => None,
        };
        self.operations().into_iter().filter_map(written).collect()
    }

    fn note(&self, operation: Operation) {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// Checks that all blobs that a manifest names are stored, with the right sizes.
    fn check_named(&self, name: &Name, manifest: &[u8]) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::new(ErrorKind::Invalid, "publish", name, reason));
        let manifest = match serde_json::from_slice::<Value>(manifest) {
            Ok(manifest) => manifest,
            Err(error) => return refuse(format!("the manifest is not JSON: {error}")),
        };
        let mut waiting = vec![&manifest];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(values) => waiting.extend(values),
                Value::Object(members) => waiting.extend(members.values()),
                _ => {}
            }
            let Some(named) = value.get("digest").and_then(Value::as_str) else { continue };
            let Ok(digest) = named.parse::<Digest>() else {
                return refuse(format!("the manifest names {named:?}, which is not a digest"));
            };
            let Some(blob) = self.store.blob(&digest) else {
                let reason = format_args!("the manifest names {named}, which is not stored");
                return Err(Error::new(ErrorKind::Incomplete, "publish", name, reason));
            };
            if value.get("size").is_some_and(|size| size.as_u64() != Some(blob.len() as u64)) {
                return refuse(format!("the manifest gives {named} a wrong size"));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for StrictStore {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let info = self.store.info(descriptor).await?;
        self.note(Operation::Info(descriptor.clone()));
        Ok(info)
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let stream = self.store.open(descriptor, offset).await?;
        self.note(Operation::Open(descriptor.clone(), offset));
        Ok(Box::pin(stream.map_ok(|chunk| stream::iter(uneven(chunk)).map(Ok)).try_flatten()))
    }
}

/// Cuts bytes into pieces of 0, 1, 1, 2, 3, 5, … bytes.
fn uneven(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    let (mut this, mut next) = (0, 1usize);
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let piece = bytes.split_to(this.min(bytes.len()));
        (this, next) = (next, this.saturating_add(next));
        Some(piece)
    })
}

#[async_trait]
impl Ingester for StrictStore {
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let refuse = |reason| Err(Error::new(ErrorKind::Invalid, "put", descriptor.digest, reason));
        let given = source.descriptor();
        if given.digest != descriptor.digest || given.size != descriptor.size {
            return refuse("the descriptor does not match its source");
        }
        if self.store.blob(&descriptor.digest).is_some_and(|blob| blob.len() as u64 != descriptor.size) {
            return refuse("the blob is stored with another size");
        }
        let stored = self.store.put(descriptor, source).await?;
        self.note(Operation::Put(descriptor.clone(), stored));
        Ok(stored)
    }
}

#[async_trait]
impl Resolver for StrictStore {
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        let resolved = self.store.resolve(name).await?;
        self.note(Operation::Resolve(name.clone()));
        Ok(resolved)
    }
}

#[async_trait]
impl Lister for StrictStore {
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        self.store.list().await
    }
}

#[async_trait]
impl Publisher for StrictStore {
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        self.check_named(name, &bytes)?;
        self.store.publish(name, descriptor, bytes, expect).await?;
        self.note(Operation::Publish(name.clone(), descriptor.clone()));
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        self.store.is_atomic()
    }
}

#[async_trait]
impl Remover for StrictStore {
    async fn remove_name(&self, name: &Name) -> Result<(), Error> {
        self.store.remove_name(name).await
    }
}

#[async_trait]
impl Referrers for StrictStore {
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        self.store.referrers(subject).await
    }

    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let name = Name::Digest(referrer.digest);
        self.check_named(&name, &bytes)?;
        self.store.add_referrer(subject, referrer, bytes).await?;
        self.note(Operation::Publish(name, referrer.clone()));
        Ok(())
    }
}
