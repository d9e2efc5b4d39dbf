//! What a registry holds, and the rules for it: blobs by repository, manifests, tags, uploads under way.
//!
//! It knows nothing of HTTP and of who may do what. All of it is in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use serde_json::Value;

use crate::digest::{digest_of, sha256};

/// The content of a registry.
#[derive(Debug, Default)]
pub struct Content {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    blobs: HashMap<String, Bytes>,
    repositories: BTreeMap<String, Repository>,
    uploads: HashMap<String, Upload>,
    uploads_so_far: u64,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: HashSet<String>,
    manifests: HashMap<String, (String, Bytes)>,
    tags: BTreeMap<String, String>,
    /// Blobs to be lost just before a manifest names them.
    doomed: HashSet<String>,
}

#[derive(Debug)]
struct Upload {
    repository: String,
    bytes: Vec<u8>,
}

impl Content {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Puts a blob into a repository; its digest.
    pub fn insert_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.store_blob(repository, &digest, bytes);
        digest
    }

    /// Puts a manifest into a repository, under a tag too if one is given, without looking at it; its digest.
    pub fn insert_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.store_manifest(repository, tag, &digest, media_type, bytes);
        digest
    }

    /// A repository's blob.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        let inner = self.inner();
        let here = inner.repositories.get(repository)?.blobs.contains(digest);
        here.then(|| inner.blobs.get(digest).cloned()).flatten()
    }

    /// The digests of a repository's blobs, sorted.
    pub fn blobs(&self, repository: &str) -> Vec<String> {
        let inner = self.inner();
        let found = inner.repositories.get(repository).map(|found| found.blobs.iter().cloned().collect());
        let mut digests: Vec<String> = found.unwrap_or_default();
        digests.sort();
        digests
    }

    /// A repository's manifest by tag or digest: its digest, media type and bytes.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, String, Bytes)> {
        let inner = self.inner();
        let repository = inner.repositories.get(repository)?;
        let digest = repository.tags.get(reference).map_or(reference, String::as_str);
        let (media_type, bytes) = repository.manifests.get(digest)?;
        Some((digest.to_owned(), media_type.clone(), bytes.clone()))
    }

    /// The tags of a repository, sorted; `None` where there is no such repository.
    pub fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(self.inner().repositories.get(repository)?.tags.keys().cloned().collect())
    }

    /// The names of the repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        self.inner().repositories.keys().cloned().collect()
    }

    /// Takes a blob out of a repository.
    pub fn lose_blob(&self, repository: &str, digest: &str) {
        self.inner().repositories.entry(repository.to_owned()).or_default().blobs.remove(digest);
    }

    /// Loses a blob, once, just when a manifest that names it comes in, so that HEAD still found it.
    pub fn doom_blob(&self, repository: &str, digest: &str) {
        self.inner().repositories.entry(repository.to_owned()).or_default().doomed.insert(digest.to_owned());
    }

    /// Puts other bytes in the place of a blob's, as a broken disk would.
    pub fn corrupt_blob(&self, digest: &str, bytes: impl Into<Bytes>) {
        self.inner().blobs.insert(digest.to_owned(), bytes.into());
    }

    /// How many uploads are under way.
    pub fn uploads(&self) -> usize {
        self.inner().uploads.len()
    }

    /// Ends all uploads under way, as a registry does that restarts.
    pub fn lose_uploads(&self) {
        self.inner().uploads.clear();
    }

    pub(crate) fn store_blob(&self, repository: &str, digest: &str, bytes: Bytes) {
        let mut inner = self.inner();
        inner.blobs.insert(digest.to_owned(), bytes);
        inner.repositories.entry(repository.to_owned()).or_default().blobs.insert(digest.to_owned());
    }

    pub(crate) fn store_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        digest: &str,
        media_type: &str,
        bytes: Bytes,
    ) {
        let mut inner = self.inner();
        let repository = inner.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(digest.to_owned(), (media_type.to_owned(), bytes));
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.to_owned());
        }
    }

    /// Makes a blob of one repository one of another, too; whether it was there.
    pub(crate) fn mount(&self, from: &str, to: &str, digest: &str) -> bool {
        let Some(bytes) = self.blob(from, digest) else { return false };
        self.store_blob(to, digest, bytes);
        true
    }

    /// What a manifest names and the repository lacks, after what is doomed was lost.
    pub(crate) fn missing(&self, repository: &str, manifest: &Value) -> Vec<String> {
        let mut inner = self.inner();
        let repository = inner.repositories.entry(repository.to_owned()).or_default();
        let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
        let named = [manifest["config"].clone()].into_iter().chain(list("layers")).chain(list("manifests"));
        let digests = named.filter_map(|descriptor| descriptor["digest"].as_str().map(str::to_owned));
        let mut missing = Vec::new();
        for digest in digests {
            if repository.doomed.remove(&digest) {
                repository.blobs.remove(&digest);
            }
            if !repository.blobs.contains(&digest) && !repository.manifests.contains_key(&digest) {
                missing.push(digest);
            }
        }
        missing
    }

    /// Begins an upload; its identifier.
    pub(crate) fn begin_upload(&self, repository: &str) -> String {
        let mut inner = self.inner();
        inner.uploads_so_far += 1;
        let id = format!("upload-{}", inner.uploads_so_far);
        inner.uploads.insert(id.clone(), Upload { repository: repository.to_owned(), bytes: Vec::new() });
        id
    }

    /// How many bytes an upload has; `None` where there is no such upload.
    pub(crate) fn upload_length(&self, repository: &str, id: &str) -> Option<usize> {
        let inner = self.inner();
        let upload = inner.uploads.get(id)?;
        (upload.repository == repository).then_some(upload.bytes.len())
    }

    /// Adds to an upload that exists; its length then.
    pub(crate) fn append(&self, id: &str, bytes: &[u8]) -> usize {
        let mut inner = self.inner();
        let upload = inner.uploads.get_mut(id).unwrap();
        upload.bytes.extend_from_slice(bytes);
        upload.bytes.len()
    }

    /// Ends an upload that exists. Its bytes become a blob if they have that digest; whether they had.
    pub(crate) fn finish_upload(&self, id: &str, digest: &str) -> bool {
        let upload = self.inner().uploads.remove(id).unwrap();
        let right = digest_of(&upload.bytes, digest).as_deref() == Some(digest);
        if right {
            self.store_blob(&upload.repository, digest, upload.bytes.into());
        }
        right
    }

    pub(crate) fn drop_upload(&self, id: &str) {
        self.inner().uploads.remove(id);
    }
}
