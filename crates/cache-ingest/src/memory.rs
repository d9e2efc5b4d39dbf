//! A store in memory, for tests and for caches that are made before it is known where they go.
//!
//! It obeys the laws of the seams to the letter, also where a real store may be lenient. It never frees a blob by itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::{Algorithm, Descriptor, Digest, MediaType};

use crate::seams::chunks;
use crate::{
    ByteStream, Error, ErrorKind, Expect, Hasher, Info, Ingester, Listed, Lister, Name, Provider, Publisher,
    Referrers, Remover, Resolved, Resolver, Source, Stored, Verifier,
};

/// Blobs and names in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<MemoryState>>);

#[derive(Debug, Default)]
struct MemoryState {
    blobs: HashMap<Digest, Bytes>,
    /// The manifests by tag.
    tags: BTreeMap<String, Descriptor>,
    /// The manifests by digest, with or without a tag.
    manifests: HashMap<Digest, Descriptor>,
    /// The manifests that refer to another one, with its digest.
    referrers: Vec<(Digest, Descriptor)>,
}

impl MemoryStore {
    /// A store without blobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores bytes as a blob, and gives its descriptor.
    pub fn insert(&self, media_type: MediaType, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let digest = Hasher::digest(Algorithm::Sha256, &bytes);
        let descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
        self.state().blobs.insert(digest, bytes);
        descriptor
    }

    /// The bytes of a blob, if the store has it.
    pub fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.state().blobs.get(digest).cloned()
    }

    /// Removes a blob, and says whether the store had it.
    pub fn remove(&self, digest: &Digest) -> bool {
        self.state().blobs.remove(digest).is_some()
    }

    /// The digests of all blobs, sorted.
    pub fn digests(&self) -> Vec<Digest> {
        let mut digests: Vec<_> = self.state().blobs.keys().copied().collect();
        digests.sort_unstable();
        digests
    }

    /// The tags, sorted.
    pub fn tags(&self) -> Vec<String> {
        self.state().tags.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        // No code panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, operation: &'static str, descriptor: &Descriptor) -> Result<Bytes, Error> {
        self.blob(&descriptor.digest).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, operation, descriptor.digest, "no such blob in memory")
        })
    }
}

impl MemoryState {
    fn current(&self, name: &Name) -> Option<&Descriptor> {
        match name {
            Name::Unspecified => self.tags.get(Name::LATEST).or_else(|| match self.tags.len() {
                1 => self.tags.values().next(),
                _ => None,
            }),
            Name::Tag(tag) => self.tags.get(tag),
            Name::Digest(digest) => self.manifests.get(digest),
        }
    }
}

#[async_trait]
impl Provider for MemoryStore {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(self.get("look up", descriptor)?.len() as u64))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let mut bytes = self.get("open", descriptor)?;
        match usize::try_from(offset) {
            Ok(offset) if offset <= bytes.len() => Ok(chunks(bytes.split_off(offset))),
            _ => {
                let reason = format_args!("offset {offset} is beyond its end");
                Err(Error::new(ErrorKind::Invalid, "open", descriptor.digest, reason))
            }
        }
    }
}

#[async_trait]
impl Ingester for MemoryStore {
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        if self.blob(&descriptor.digest).is_some_and(|bytes| bytes.len() as u64 == descriptor.size) {
            return Ok(Stored::AlreadyPresent);
        }
        let bytes = source.read(u64::MAX).await?;
        self.state().blobs.insert(descriptor.digest, bytes);
        Ok(Stored::Stored)
    }
}

#[async_trait]
impl Resolver for MemoryStore {
    /// Gives the bytes with the descriptor.
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        let state = self.state();
        let descriptor = state
            .current(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "resolve", name, "no such manifest in memory"))?;
        let bytes = state.blobs.get(&descriptor.digest).cloned();
        Ok(Resolved { bytes, ..Resolved::new(descriptor.clone()) })
    }
}

#[async_trait]
impl Lister for MemoryStore {
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        let listed = |(tag, descriptor): (&String, &Descriptor)| {
            Listed::new(Some(Name::Tag(tag.clone())), Ok(descriptor.clone()))
        };
        Ok(self.state().tags.iter().map(listed).collect())
    }
}

#[async_trait]
impl Publisher for MemoryStore {
    /// A manifest without a name is tagged `latest`.
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
        let mut state = self.state();
        expect.check(&name, state.current(&name).map(|current| current.digest))?;
        state.blobs.insert(descriptor.digest, bytes);
        state.manifests.insert(descriptor.digest, descriptor.clone());
        if let Name::Tag(tag) = name {
            state.tags.insert(tag, descriptor.clone());
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

#[async_trait]
impl Remover for MemoryStore {
    async fn remove_name(&self, name: &Name) -> Result<(), Error> {
        let mut state = self.state();
        let current = state.current(name).map(|current| current.digest);
        let Some(manifest) = current else {
            return Err(Error::new(ErrorKind::NotFound, "remove", name, "no such manifest in memory"));
        };
        match name {
            Name::Unspecified if !state.tags.contains_key(Name::LATEST) => state.tags.clear(),
            Name::Unspecified => drop(state.tags.remove(Name::LATEST)),
            Name::Tag(tag) => drop(state.tags.remove(tag)),
            Name::Digest(_) => {
                state.tags.retain(|_, named| named.digest != manifest);
                state.manifests.remove(&manifest);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Referrers for MemoryStore {
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let state = self.state();
        let found = state.referrers.iter().filter(|(of, _)| *of == subject.digest);
        Ok(found.map(|(_, referrer)| referrer.clone()).collect())
    }

    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let mut verifier = Verifier::new(referrer);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let mut state = self.state();
        state.blobs.insert(referrer.digest, bytes);
        let entry = (subject.digest, referrer.clone());
        if !state.referrers.contains(&entry) {
            state.referrers.push(entry);
        }
        Ok(())
    }
}
