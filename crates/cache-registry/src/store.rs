//! A repository as a store of the seams: what a clone shares, and which trait method lies where.
//!
//! It does nothing itself.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, Expect, Info, Ingester, Lister, Name, Origin, Provider, Publisher, Resolver, Source,
    Stored,
};
use cache_model::{Descriptor, Digest, MediaType};

use crate::auth::Scopes;
use crate::client::{Call, Client};
use crate::error::About;
use crate::reference::Repository;

/// The largest manifest, in bytes.
pub(crate) const METADATA_LIMIT: u64 = 64 << 20;

/// A repository of a registry. Clones share what is known of it.
///
/// Blobs are verified by whoever reads them (as [`Source`] does), and by the registry when they are pushed.
#[derive(Clone)]
pub struct RegistryStore {
    pub(crate) client: Client,
    shared: Arc<Shared>,
}

struct Shared {
    repository: Repository,
    /// Whether tokens are asked for that allow to push.
    push: AtomicBool,
    doubted: Mutex<Doubt>,
    /// Repositories of the registry from which it is not allowed to mount.
    closed: Mutex<HashSet<String>>,
}

/// Blobs that the registry says it has and turned out not to have.
#[derive(Debug, Default)]
struct Doubt {
    all: bool,
    blobs: HashSet<Digest>,
}

impl RegistryStore {
    /// A repository. Its registry is not asked yet.
    pub fn new(client: &Client, repository: &Repository) -> Self {
        let shared = Shared {
            repository: repository.clone(),
            push: AtomicBool::new(false),
            doubted: Mutex::default(),
            closed: Mutex::default(),
        };
        Self { client: client.clone(), shared: Arc::new(shared) }
    }

    /// The same repository, to be pushed to: the first token that is asked for allows that too. Else the first push
    /// asks for another one.
    #[must_use]
    pub fn for_push(self) -> Self {
        self.will_push();
        self
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.shared.repository
    }

    pub(crate) fn will_push(&self) {
        self.shared.push.store(true, Ordering::Relaxed);
    }

    pub(crate) fn call(&self, operation: &'static str, subject: String) -> Call<'_> {
        let repository = self.repository();
        let about = About { operation, subject, host: repository.host().to_owned() };
        let push = self.shared.push.load(Ordering::Relaxed);
        Call { repository, scopes: Scopes::new(repository.path(), push), about }
    }

    /// What a blob or manifest is called in messages.
    pub(crate) fn at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository())
    }

    /// What a name is called in messages.
    pub(crate) fn named(&self, name: &Name) -> String {
        match name {
            Name::Unspecified => format!("{}:{}", self.repository(), Name::LATEST),
            Name::Tag(tag) => format!("{}:{}", self.repository(), crate::error::printable(tag)),
            Name::Digest(digest) => self.at(digest),
        }
    }

    /// The path of something of the repository, as in `tags/list`.
    pub(crate) fn path(&self, rest: impl fmt::Display) -> String {
        format!("v2/{}/{rest}", self.repository().path())
    }

    /// The path of a blob or manifest: its media type says which it is.
    pub(crate) fn path_of(&self, descriptor: &Descriptor) -> String {
        let folder = if descriptor.media_type.is_manifest() { "manifests" } else { "blobs" };
        self.path(format_args!("{folder}/{}", descriptor.digest))
    }

    /// Whether the registry is believed when it says that it has a blob.
    pub(crate) fn believes_in(&self, digest: &Digest) -> bool {
        let doubt = self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        !doubt.all && !doubt.blobs.contains(digest)
    }

    /// Believes nothing of these blobs until they were pushed; of no blob, where none is named.
    pub(crate) fn doubt(&self, digests: Vec<Digest>) {
        let mut doubt = self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        doubt.all |= digests.is_empty();
        doubt.blobs.extend(digests);
    }

    /// Whether it may be allowed to mount from another repository.
    pub(crate) fn may_mount_from(&self, path: &str) -> bool {
        !self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// It is not allowed to mount from another repository.
    pub(crate) fn cannot_mount_from(&self, path: &str) {
        self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    /// A blob was pushed.
    pub(crate) fn trust(&self, digest: &Digest) {
        let mut doubt = self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        doubt.blobs.remove(digest);
    }

    /// A manifest was taken with all that it names.
    pub(crate) fn trust_all(&self) {
        *self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner) = Doubt::default();
    }
}

impl fmt::Debug for RegistryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryStore").field("repository", self.repository()).finish_non_exhaustive()
    }
}

/// The media types of manifests that are understood, for `Accept`.
pub(crate) fn accepted() -> String {
    let types =
        [MediaType::OCI_INDEX, MediaType::OCI_MANIFEST, MediaType::DOCKER_LIST, MediaType::DOCKER_MANIFEST];
    types.each_ref().map(MediaType::as_str).join(", ")
}

#[async_trait]
impl Provider for RegistryStore {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.size_of(descriptor).await.map(Info::new)
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.open_at(descriptor, offset).await
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        // Only blobs can be mounted.
        (!descriptor.media_type.is_manifest()).then(|| Origin {
            service: self.repository().host().to_owned(),
            repository: self.repository().path().to_owned(),
        })
    }
}

#[async_trait]
impl Ingester for RegistryStore {
    /// A blob is already present where the registry says so; one that lies in another repository of the registry is
    /// mounted where the registry allows it. Manifests among the blobs are pushed without a tag.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.push(descriptor, source).await
    }
}

#[async_trait]
impl Resolver for RegistryStore {
    /// Asks for the head of the manifest, and for all of it only where the head does not tell digest, size and media
    /// type. A manifest of more than 64 MiB is [`ErrorKind::TooLarge`](cache_ingest::ErrorKind::TooLarge).
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error> {
        self.find(name).await
    }
}

#[async_trait]
impl Lister for RegistryStore {
    /// The tags. A registry does not tell of manifests without one.
    async fn names(&self) -> Result<Vec<Name>, Error> {
        Ok(self.tags().await?.into_iter().map(Name::Tag).collect())
    }
}

#[async_trait]
impl Publisher for RegistryStore {
    /// A manifest without a name is tagged `latest`.
    ///
    /// Registries cannot compare and swap. Where something is expected the tag is read before and after, so that of
    /// two who publish at once both may see their success only when the later one came after the earlier one's look.
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        self.publish_manifest(name, descriptor, bytes, expect).await
    }

    async fn is_published(&self, name: &Name, descriptor: &Descriptor) -> Result<bool, Error> {
        self.stands_for(name, descriptor).await
    }
}
