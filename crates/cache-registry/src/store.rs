//! A repository as a store: each trait of `cache-ingest` calls the operation that implements it.
//!
//! There is no logic here.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, Expect, Info, Ingester, Listed, Lister, Name, Origin, Provider, Publisher, Referrers,
    Remover, Resolved, Resolver, Source, Standing, Stored,
};
use cache_model::Descriptor;
use cache_target::Repository;

use crate::client::Client;
use crate::repository::RepositoryClient;

/// A repository of a registry. Clones share what earlier answers have shown.
///
/// Blobs are verified by their reader, as [`Source`] does, and by the registry when they are pushed. All operations need a
/// Tokio runtime with time and I/O; outside of a runtime they fail.
#[derive(Clone)]
pub struct RegistryStore(Arc<RepositoryClient>);

impl RegistryStore {
    /// A repository. Nothing is sent yet.
    pub fn new(client: &Client, repository: &Repository) -> Self {
        Self(Arc::new(RepositoryClient::new(client, repository)))
    }

    /// Expects pushes: the first token that is requested allows them, too. Otherwise the first push requests another one.
    ///
    /// Clones that were made before are not changed: they still request tokens for reading.
    #[must_use]
    pub fn for_push(self) -> Self {
        let store = Self::new(&self.0.client, self.0.repository());
        store.0.will_push();
        store
    }

    pub(crate) fn client(&self) -> &RepositoryClient {
        &self.0
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        self.0.repository()
    }

    /// The tags of the repository, in the order of the registry. Malformed tags are skipped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](cache_ingest::ErrorKind::NotFound) if there is no such repository.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        self.0.tags().await
    }
}

impl fmt::Debug for RegistryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryStore").field("repository", self.repository()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for RegistryStore {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.0.open(descriptor, offset).await
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        self.0.origin(descriptor)
    }
}

#[async_trait]
impl Ingester for RegistryStore {
    /// A blob counts as present if the registry says so. One that another repository of the registry has is mounted, if
    /// the registry allows it. A manifest among the blobs is pushed without a tag.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.0.push(descriptor, source).await
    }
}

#[async_trait]
impl Resolver for RegistryStore {
    /// Reads the manifest in one request, and returns its bytes with the descriptor. They are not verified
    /// against the digest that the registry states: [`Resolved::read`] does that. A manifest above the job's limit of
    /// metadata is [`ErrorKind::TooLarge`](cache_ingest::ErrorKind::TooLarge).
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        self.0.resolve(name).await
    }

    /// Asks by HEAD, which registries do not count as a pull, and reads the manifest only where the answer says too little.
    async fn resolve_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
        self.0.resolve_descriptor(name).await
    }
}

#[async_trait]
impl Lister for RegistryStore {
    /// The tags. A registry does not list manifests without one.
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.tags().await?.into_iter().map(|tag| Listed::named(Name::Tag(tag))).collect())
    }
}

#[async_trait]
impl Publisher for RegistryStore {
    /// A manifest without a name is tagged `latest`.
    ///
    /// Registries cannot compare and swap, so an expectation is checked before and after. Of two concurrent publishers
    /// both may succeed, if the later one publishes after the second check of the earlier one.
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        self.0.publish_manifest(name, descriptor, bytes, expect).await
    }

    async fn standing(&self, name: &Name, descriptor: &Descriptor) -> Result<Standing, Error> {
        self.0.standing(name, descriptor).await
    }
}

#[async_trait]
impl Remover for RegistryStore {
    /// Not every registry removes a tag alone, and some remove nothing.
    async fn remove_name(&self, name: &Name) -> Result<(), Error> {
        self.0.remove(name).await
    }
}

#[async_trait]
impl Referrers for RegistryStore {
    /// A registry that lists no referrers has them in an index under the tag `ALGORITHM-HEX` of their subject, which clients keep.
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        self.0.referrers(&subject.digest).await
    }

    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        self.push_with_subject(&subject.digest, referrer, bytes).await
    }
}
