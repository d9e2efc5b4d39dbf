//! The content of a registry: blobs by repository, manifests, tags, and uploads under way, all in memory.
//!
//! It knows nothing of HTTP and of authorization.

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
    /// Blobs that are lost when a manifest that names them arrives.
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

    /// Adds a blob to a repository, and returns its digest.
    pub fn insert_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.store_blob(repository, &digest, bytes);
        digest
    }

    /// Adds a manifest to a repository, and tags it if a tag is given. Returns its digest. It is not verified.
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

    /// The bytes of a blob, if the repository has it.
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

    /// The digest, media type and bytes of a manifest, by tag or digest.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, String, Bytes)> {
        let inner = self.inner();
        let repository = inner.repositories.get(repository)?;
        let digest = repository.tags.get(reference).map_or(reference, String::as_str);
        let (media_type, bytes) = repository.manifests.get(digest)?;
        Some((digest.to_owned(), media_type.clone(), bytes.clone()))
    }

    /// The digest, media type and bytes of the manifests that refer to another one, sorted.
    pub fn referrers(&self, repository: &str, subject: &str) -> Vec<(String, String, Bytes)> {
        let inner = self.inner();
        let Some(repository) = inner.repositories.get(repository) else { return Vec::new() };
        let refers = |bytes: &Bytes| {
            let manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
            manifest["subject"]["digest"] == subject
        };
        let found = repository.manifests.iter().filter(|(_, (_, bytes))| refers(bytes));
        let mut found: Vec<_> =
            found.map(|(digest, (kind, bytes))| (digest.clone(), kind.clone(), bytes.clone())).collect();
        found.sort();
        found
    }

    /// The tags of a repository, sorted; `None` if it does not exist.
    pub fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(self.inner().repositories.get(repository)?.tags.keys().cloned().collect())
    }

    /// The names of the repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        self.inner().repositories.keys().cloned().collect()
    }

    /// Removes a blob from a repository.
    pub fn lose_blob(&self, repository: &str, digest: &str) {
        self.inner().repositories.entry(repository.to_owned()).or_default().blobs.remove(digest);
    }

    /// Loses a blob once, when a manifest that names it arrives. A HEAD before that still finds it.
    pub fn doom_blob(&self, repository: &str, digest: &str) {
        self.inner().repositories.entry(repository.to_owned()).or_default().doomed.insert(digest.to_owned());
    }

    /// Replaces the bytes of a blob, as a broken disk would.
    pub fn corrupt_blob(&self, digest: &str, bytes: impl Into<Bytes>) {
        self.inner().blobs.insert(digest.to_owned(), bytes.into());
    }

    /// How many uploads are under way.
    pub fn uploads(&self) -> usize {
        self.inner().uploads.len()
    }

    /// Ends all uploads under way, as a restart of the registry does.
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

    /// Removes a tag, or a manifest by its digest with all of its tags. Returns whether the repository had it.
    pub(crate) fn remove(&self, repository: &str, reference: &str) -> bool {
        let mut inner = self.inner();
        let Some(repository) = inner.repositories.get_mut(repository) else { return false };
        if repository.tags.remove(reference).is_some() {
            return true;
        }
        repository.tags.retain(|_, digest| digest != reference);
        repository.manifests.remove(reference).is_some()
    }

    /// Adds a blob of one repository to another. Returns whether the first has it.
    pub(crate) fn mount(&self, from: &str, to: &str, digest: &str) -> bool {
        let Some(bytes) = self.blob(from, digest) else { return false };
        self.store_blob(to, digest, bytes);
        true
    }

    /// The digests that a manifest names and the repository lacks. Doomed blobs are lost first.
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

    /// Begins an upload, and returns its identifier.
    pub(crate) fn begin_upload(&self, repository: &str) -> String {
        let mut inner = self.inner();
        inner.uploads_so_far += 1;
        let id = format!("upload-{}", inner.uploads_so_far);
        inner.uploads.insert(id.clone(), Upload { repository: repository.to_owned(), bytes: Vec::new() });
        id
    }

    /// The length of an upload in bytes; `None` if it does not exist.
    pub(crate) fn upload_length(&self, repository: &str, id: &str) -> Option<usize> {
        let inner = self.inner();
        let upload = inner.uploads.get(id)?;
        (upload.repository == repository).then_some(upload.bytes.len())
    }

    /// Appends to an existing upload, and returns its new length.
    pub(crate) fn append(&self, id: &str, bytes: &[u8]) -> usize {
        let mut inner = self.inner();
        let upload = inner.uploads.get_mut(id).unwrap();
        upload.bytes.extend_from_slice(bytes);
        upload.bytes.len()
    }

    /// Ends an existing upload. Its bytes become a blob if they have the given digest; returns whether they have.
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
