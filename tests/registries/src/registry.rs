//! A registry in memory that follows the OCI distribution specification. [`Behavior`] holds what real registries differ in.
//!
//! It never fails by itself; faults are for that.

mod guard;
mod route;

use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::content::Content;
use crate::digest::{digest_of, sha256};
use crate::message::{Answer, Request};
use crate::server::Service;
use guard::refuse;
use route::Route;

pub use guard::Auth;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The form of the Location of an upload.
#[derive(Clone, Debug, Default)]
pub enum UploadLocation {
    /// With scheme and host.
    #[default]
    Absolute,
    /// A path.
    Relative,
    /// With a query, to which the client has to add the digest.
    Query,
    /// On another server with this scheme and host.
    Elsewhere(String),
}

/// What a registry deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletion {
    /// Tags, and manifests by digest.
    #[default]
    TagsAndManifests,
    /// Manifests by digest, with their tags.
    Manifests,
    /// Nothing.
    Nothing,
}

/// The behavior in which registries differ.
#[derive(Clone, Debug, Default)]
pub struct Behavior {
    /// How requests are authorized.
    pub auth: Auth,
    /// The Location of uploads.
    pub locations: UploadLocation,
    /// Declines each mount and begins an upload.
    pub declines_mounts: bool,
    /// The scheme and host to which downloads of blobs are redirected, with a signature in the query.
    pub blobs_elsewhere: Option<String>,
    /// Refuses image indexes and manifest lists, as Amazon's registry does.
    pub refuses_indexes: bool,
    /// The most tags on a page.
    pub page: Option<usize>,
    /// The value of OCI-Chunk-Min-Length: the least bytes of every chunk but the last.
    pub min_chunk: Option<usize>,
    /// Accepts manifests that name missing blobs.
    pub trusts_manifests: bool,
    /// What is deleted on request.
    pub deletion: Deletion,
    /// Lists the manifests that refer to another one.
    pub lists_referrers: bool,
}

/// A registry.
#[derive(Debug, Default)]
pub struct Registry {
    /// Its blobs, manifests and uploads.
    pub content: Content,
    behavior: Mutex<Behavior>,
}

impl Registry {
    /// An empty registry.
    pub fn new(behavior: Behavior) -> Self {
        Self { content: Content::default(), behavior: Mutex::new(behavior) }
    }

    /// Its behavior, which may be changed at any time.
    pub fn behavior(&self) -> MutexGuard<'_, Behavior> {
        self.behavior.lock().unwrap()
    }
}

impl Service for Registry {
    fn answer(&self, request: &Request, base: &str) -> Answer {
        let behavior = self.behavior().clone();
        let answer = match Route::of(request) {
            Some(route) => match refuse(&behavior.auth, request, &route) {
                Some(refusal) => refusal,
                None => {
                    Handling { content: &self.content, behavior: &behavior, request, base }.answer(&route)
                }
            },
            None => error(404, "UNSUPPORTED", request.path()),
        };
        answer.with("Docker-Distribution-Api-Version", "registry/2.0")
    }
}

/// A request that is handled.
struct Handling<'a> {
    content: &'a Content,
    behavior: &'a Behavior,
    request: &'a Request,
    base: &'a str,
}

impl Handling<'_> {
    fn answer(&self, route: &Route) -> Answer {
        match (self.request.method.as_str(), route) {
            ("GET" | "HEAD", Route::Ping) => Answer::new(200).json(&json!({})),
            ("GET", Route::Catalog) => {
                Answer::new(200).json(&json!({"repositories": self.content.repositories()}))
            }
            ("GET", Route::Tags(name)) => self.tags(name),
            ("GET" | "HEAD", Route::Blob(name, digest)) => self.blob(name, digest),
            ("GET" | "HEAD", Route::Manifest(name, reference)) => self.manifest(name, reference),
            ("PUT", Route::Manifest(name, reference)) => self.put_manifest(name, reference),
            ("DELETE", Route::Manifest(name, reference)) => self.delete_manifest(name, reference),
            ("GET", Route::Referrers(name, subject)) if self.behavior.lists_referrers => {
                self.referrers(name, subject)
            }
            ("GET", Route::Referrers(..)) => error(404, "NOT_FOUND", self.request.path()),
            ("POST", Route::Uploads(name)) => self.begin(name),
            ("GET", Route::Upload(name, id)) => {
                self.upload(name, id, |length| self.progress(name, id, 204, length))
            }
            ("PATCH", Route::Upload(name, id)) => {
                self.upload(name, id, |length| self.chunk(name, id, length))
            }
            ("PUT", Route::Upload(name, id)) => self.upload(name, id, |length| self.finish(name, id, length)),
            ("DELETE", Route::Upload(name, id)) => self.upload(name, id, |_| {
                self.content.drop_upload(id);
                Answer::new(204)
            }),
            _ => error(405, "UNSUPPORTED", &self.request.method),
        }
    }

    fn tags(&self, name: &str) -> Answer {
        let Some(tags) = self.content.tags(name) else { return error(404, "NAME_UNKNOWN", name) };
        let requested = self.request.parameter("n").and_then(|n| n.parse().ok());
        let page = [requested, self.behavior.page].into_iter().flatten().min().unwrap_or(usize::MAX);
        let last = self.request.parameter("last").unwrap_or_default();
        let rest: Vec<String> = tags.into_iter().filter(|tag| *tag > last).collect();
        let here: Vec<&String> = rest.iter().take(page).collect();
        let answer = Answer::new(200).json(&json!({"name": name, "tags": here}));
        match here.last() {
            Some(last) if rest.len() > here.len() => {
                answer.with("Link", format!("</v2/{name}/tags/list?last={last}&n={page}>; rel=\"next\""))
            }
            _ => answer,
        }
    }

    fn blob(&self, name: &str, digest: &str) -> Answer {
        let Some(bytes) = self.content.blob(name, digest) else { return error(404, "BLOB_UNKNOWN", digest) };
        if let (Some(host), "GET") = (&self.behavior.blobs_elsewhere, self.request.method.as_str())
            && *host != self.base
        {
            return Answer::redirect(307, format!("{host}{}?signature=s3cr3t%2B%3D", self.request.path()));
        }
        let answer = |status| {
            Answer::new(status)
                .with("Content-Type", "application/octet-stream")
                .with("Docker-Content-Digest", digest)
                .with("Accept-Ranges", "bytes")
        };
        let Some(range) = self.request.header("Range") else { return answer(200).body(bytes) };
        let total = bytes.len();
        match part(range, total) {
            Some((first, last)) => answer(206)
                .with("Content-Range", format!("bytes {first}-{last}/{total}"))
                .body(bytes.slice(first..=last)),
            None => error(416, "RANGE_INVALID", range).with("Content-Range", format!("bytes */{total}")),
        }
    }

    fn manifest(&self, name: &str, reference: &str) -> Answer {
        match self.content.manifest(name, reference) {
            Some((digest, media_type, bytes)) => Answer::new(200)
                .with("Content-Type", media_type)
                .with("Docker-Content-Digest", digest)
                .body(bytes),
            None if self.content.tags(name).is_none() => error(404, "NAME_UNKNOWN", name),
            None => error(404, "MANIFEST_UNKNOWN", reference),
        }
    }

    fn put_manifest(&self, name: &str, reference: &str) -> Answer {
        let bytes = &self.request.body;
        let Ok(manifest) = serde_json::from_slice::<Value>(bytes) else {
            return error(400, "MANIFEST_INVALID", "not JSON");
        };
        let media_type = self.request.header("Content-Type").unwrap_or_default();
        if manifest["mediaType"].as_str().is_some_and(|inner| inner != media_type) {
            return error(400, "MANIFEST_INVALID", "the Content-Type is not the mediaType");
        }
        if self.behavior.refuses_indexes && manifest["manifests"].is_array() {
            return error(400, "MANIFEST_INVALID", "manifest list contains entries that are no manifests");
        }
        let (tag, digest) = if reference.contains(':') {
            if digest_of(bytes, reference).as_deref() != Some(reference) {
                return error(400, "DIGEST_INVALID", reference);
            }
            (None, reference.to_owned())
        } else {
            (Some(reference), sha256(bytes))
        };
        let missing = self.content.missing(name, &manifest);
        if !missing.is_empty() && !self.behavior.trusts_manifests {
            let unknown = |digest: &String| json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": {"digest": digest}});
            let errors: Vec<Value> = missing.iter().map(unknown).collect();
            return Answer::new(404).json(&json!({"errors": errors}));
        }
        self.content.store_manifest(name, tag, &digest, media_type, bytes.clone());
        let answer = self.created(&format!("/v2/{name}/manifests/{digest}"), &digest);
        match manifest["subject"]["digest"].as_str() {
            Some(subject) if self.behavior.lists_referrers => answer.with("OCI-Subject", subject),
            _ => answer,
        }
    }

    /// One referrer on each page.
    fn referrers(&self, name: &str, subject: &str) -> Answer {
        let last = self.request.parameter("last").unwrap_or_default();
        let mut rest =
            self.content.referrers(name, subject).into_iter().filter(|(digest, ..)| *digest > last);
        let entry = rest.next().map(|(digest, media_type, bytes)| {
            let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let entry = json!({
                "mediaType": media_type,
                "digest": digest,
                "size": bytes.len(),
                "annotations": manifest["annotations"],
                "artifactType": manifest["artifactType"],
            });
            (digest, entry)
        });
        let entries: Vec<&Value> = entry.iter().map(|(_, entry)| entry).collect();
        let answer =
            Answer::new(200).json(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}));
        match entry {
            Some((digest, _)) if rest.next().is_some() => {
                answer.with("Link", format!("</v2/{name}/referrers/{subject}?last={digest}>; rel=\"next\""))
            }
            _ => answer,
        }
    }

    fn delete_manifest(&self, name: &str, reference: &str) -> Answer {
        let is_digest = reference.contains(':');
        match self.behavior.deletion {
            Deletion::Nothing => return error(405, "UNSUPPORTED", "deletion"),
            Deletion::Manifests if !is_digest => return error(400, "UNSUPPORTED", reference),
            _ => {}
        }
        match self.content.remove(name, reference) {
            true => Answer::new(202),
            false => error(404, "MANIFEST_UNKNOWN", reference),
        }
    }

    fn begin(&self, name: &str) -> Answer {
        let parameter = |key| self.request.parameter(key);
        if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
            && !self.behavior.declines_mounts
            && self.content.mount(&from, name, &digest)
        {
            return self.created(&format!("/v2/{name}/blobs/{digest}"), &digest);
        }
        let id = self.content.begin_upload(name);
        if parameter("digest").is_some() {
            return self.finish(name, &id, 0);
        }
        self.progress(name, &id, 202, 0)
    }

    /// Acts on an upload, given its length in bytes.
    fn upload(&self, name: &str, id: &str, act: impl FnOnce(usize) -> Answer) -> Answer {
        match self.content.upload_length(name, id) {
            Some(length) => act(length),
            None => error(404, "BLOB_UPLOAD_UNKNOWN", id),
        }
    }

    fn chunk(&self, name: &str, id: &str, length: usize) -> Answer {
        if let Some(range) = self.request.header("Content-Range") {
            let first = range.split('-').next().and_then(|first| first.parse().ok());
            if first != Some(length) {
                return self.progress(name, id, 416, length);
            }
        }
        let length = self.content.append(id, &self.request.body);
        self.progress(name, id, 202, length)
    }

    fn finish(&self, name: &str, id: &str, length: usize) -> Answer {
        let Some(digest) = self.request.parameter("digest") else {
            return error(400, "DIGEST_INVALID", "no digest is given");
        };
        if let Some(range) = self.request.header("Content-Range") {
            let first = range.split('-').next().and_then(|first| first.parse().ok());
            if first != Some(length) {
                return self.progress(name, id, 416, length);
            }
        }
        self.content.append(id, &self.request.body);
        if !self.request.complete {
            return error(400, "BLOB_UPLOAD_INVALID", "the body ended early");
        }
        if !self.content.finish_upload(id, &digest) {
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        self.created(&format!("/v2/{name}/blobs/{digest}"), &digest)
    }

    /// The state of an upload. The range of an empty one is `0-0`, as in Docker's registry.
    fn progress(&self, name: &str, id: &str, status: u16, length: usize) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/{id}");
        let location = match &self.behavior.locations {
            UploadLocation::Absolute => format!("{}{path}", self.base),
            UploadLocation::Relative => path,
            UploadLocation::Query => format!("{}{path}?_state=a%2Fb%3D%3D&n=1", self.base),
            UploadLocation::Elsewhere(host) => format!("{host}{path}"),
        };
        let answer = Answer::new(status)
            .with("Location", location)
            .with("Range", format!("0-{}", length.saturating_sub(1)))
            .with("Docker-Upload-UUID", id);
        match self.behavior.min_chunk {
            Some(min) => answer.with("OCI-Chunk-Min-Length", min.to_string()),
            None => answer,
        }
    }

    fn created(&self, path: &str, digest: &str) -> Answer {
        Answer::new(201)
            .with("Location", format!("{}{path}", self.base))
            .with("Docker-Content-Digest", digest)
    }
}

/// An error with a code, whose message is its subject.
fn error(status: u16, code: &str, subject: &str) -> Answer {
    Answer::error(status, code, subject)
}

/// The first and last byte of `bytes=A-B` or `bytes=A-`, within a total.
fn part(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() {
        total.checked_sub(1)?
    } else {
        last.parse::<usize>().ok()?.min(total.checked_sub(1)?)
    };
    (first <= last).then_some((first, last))
}
