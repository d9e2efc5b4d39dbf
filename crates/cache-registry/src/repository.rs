//! A repository of a registry: how it is called and asked, and what earlier answers have taught about it.
//!
//! The operations stand in a file each, as methods of the same struct. This file sends nothing.

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_ingest::Name;
use cache_model::{Descriptor, Digest};
use cache_target::Repository;

use crate::auth::scopes::Scopes;
use crate::call::Call;
use crate::client::Client;
use crate::error::Operation;
use crate::lock::lock;
use crate::text::printable;

/// A repository of a registry, and what has been learnt about it.
pub(crate) struct RepositoryClient {
    pub(crate) client: Client,
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

impl RepositoryClient {
    /// A repository. Its registry is not asked yet.
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
        let repository = self.repository();
        let operation = Operation { verb, subject, host: repository.host().to_owned() };
        let push = self.push.load(Ordering::Relaxed);
        Call { repository, scopes: Scopes::new(repository.path(), push), operation }
    }

    /// What a blob or manifest is called in messages.
    pub(crate) fn at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository())
    }

    /// What a name is called in messages.
    pub(crate) fn named(&self, name: &Name) -> String {
        match name {
            Name::Unspecified => format!("{}:{}", self.repository(), Name::LATEST),
            Name::Tag(tag) => format!("{}:{}", self.repository(), printable(tag)),
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
        let doubt = lock(&self.doubted);
        !doubt.all && !doubt.blobs.contains(digest)
    }

    /// Believes nothing of these blobs until they were pushed; of no blob, where none is named.
    pub(crate) fn doubt(&self, digests: Vec<Digest>) {
        let mut doubt = lock(&self.doubted);
        doubt.all |= digests.is_empty();
        doubt.blobs.extend(digests);
    }

    /// Whether it may be allowed to mount from another repository.
    pub(crate) fn may_mount_from(&self, path: &str) -> bool {
        !lock(&self.closed).contains(path)
    }

    /// It is not allowed to mount from another repository.
    pub(crate) fn cannot_mount_from(&self, path: &str) {
        lock(&self.closed).insert(path.to_owned());
    }

    /// A blob was pushed.
    pub(crate) fn trust(&self, digest: &Digest) {
        let mut doubt = lock(&self.doubted);
        doubt.blobs.remove(digest);
    }

    /// A manifest was taken with all that it names.
    pub(crate) fn trust_all(&self) {
        *lock(&self.doubted) = Doubt::default();
    }
}
