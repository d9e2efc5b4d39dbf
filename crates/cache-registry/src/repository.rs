//! A repository of a registry: its paths, its names in messages, and what earlier answers have shown.
//!
//! Each operation is a method of [`RepositoryClient`] in a file of its own. Nothing is sent here.

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_ingest::Name;
use cache_model::{Descriptor, Digest};
use cache_target::Repository;

use crate::auth::scopes::{Need, Scopes};
use crate::call::Call;
use crate::client::Client;
use crate::error::Operation;
use crate::lock::lock;
use crate::text::printable;

/// A repository of a registry, and what earlier answers have shown.
pub(crate) struct RepositoryClient {
    pub(crate) client: Client,
    repository: Repository,
    /// Whether tokens are requested that allow pushing.
    push: AtomicBool,
    doubted: Mutex<DoubtedBlobs>,
    /// Repositories of the registry from which mounting is not allowed.
    closed: Mutex<HashSet<String>>,
}

/// Blobs that the registry claimed to have and did not have.
#[derive(Debug, Default)]
struct DoubtedBlobs {
    all: bool,
    blobs: HashSet<Digest>,
}

impl RepositoryClient {
    /// A repository. Nothing is sent yet.
    pub(crate) fn new(client: &Client, repository: &Repository) -> Self {
        Self {
            client: client.clone(),
            repository: repository.clone(),
            push: AtomicBool::new(false),
            doubted: Mutex::default(),
            closed: Mutex::default(),
        }
    }

    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The limit, in bytes, of manifests and lists of tags.
    pub(crate) fn max_metadata(&self) -> u64 {
        self.client.options().job.max_metadata
    }

    pub(crate) fn will_push(&self) {
        self.push.store(true, Ordering::Relaxed);
    }

    pub(crate) fn call(&self, verb: &'static str, subject: String) -> Call<'_> {
        let need = if self.push.load(Ordering::Relaxed) { Need::Push } else { Need::Pull };
        self.call_with(need, verb, subject)
    }

    pub(crate) fn call_with(&self, need: Need, verb: &'static str, subject: String) -> Call<'_> {
        let repository = self.repository();
        let operation = Operation::new(verb, subject, repository);
        Call { repository, scopes: Scopes::new(repository.path(), need), operation }
    }

    /// The reference of a blob or manifest, for messages.
    pub(crate) fn at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository())
    }

    /// The reference of a name, for messages.
    pub(crate) fn named(&self, name: &Name) -> String {
        match name {
            Name::Unspecified => format!("{}:{}", self.repository(), Name::LATEST),
            Name::Tag(tag) => format!("{}:{}", self.repository(), printable(tag)),
            Name::Digest(digest) => self.at(digest),
        }
    }

    /// The path of a resource of the repository, such as `tags/list`.
    pub(crate) fn path(&self, rest: impl fmt::Display) -> String {
        format!("v2/{}/{rest}", self.repository().path())
    }

    /// The path of a blob or manifest, which its media type tells apart.
    pub(crate) fn path_of(&self, descriptor: &Descriptor) -> String {
        let folder = if descriptor.media_type.is_manifest() { "manifests" } else { "blobs" };
        self.path(format_args!("{folder}/{}", descriptor.digest))
    }

    /// Whether the registry is trusted if it claims to have a blob.
    pub(crate) fn is_trusted_with(&self, digest: &Digest) -> bool {
        let doubt = lock(&self.doubted);
        !doubt.all && !doubt.blobs.contains(digest)
    }

    /// Treats these blobs as absent until they are pushed; all blobs, if the list is empty.
    pub(crate) fn doubt(&self, digests: Vec<Digest>) {
        let mut doubt = lock(&self.doubted);
        doubt.all |= digests.is_empty();
        doubt.blobs.extend(digests);
    }

    /// Whether a mount from another repository is worth a try.
    pub(crate) fn may_mount_from(&self, path: &str) -> bool {
        !lock(&self.closed).contains(path)
    }

    /// Remembers that a mount from another repository is not allowed.
    pub(crate) fn cannot_mount_from(&self, path: &str) {
        lock(&self.closed).insert(path.to_owned());
    }

    /// Trusts the registry again with a blob, which was pushed.
    pub(crate) fn trust(&self, digest: &Digest) {
        lock(&self.doubted).blobs.remove(digest);
    }

    /// Trusts the registry again with all blobs, as it accepted a manifest with all that it names.
    pub(crate) fn trust_all(&self) {
        *lock(&self.doubted) = DoubtedBlobs::default();
    }
}
