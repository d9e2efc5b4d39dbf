//! A registry in memory that keeps to the OCI distribution specification, and its manners, which registries differ in.
//!
//! It never goes wrong by itself: that is what faults are for.

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

/// What the Location of an upload looks like.
#[derive(Clone, Debug, Default)]
pub enum Locations {
    /// With scheme and host.
    #[default]
    Absolute,
    /// A path.
    Relative,
    /// With a query, to which the digest is to be added.
    Query,
    /// On another server with this scheme and host.
    Elsewhere(String),
}

/// What registries differ in.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// Who may do what.
    pub auth: Auth,
    /// The address of uploads.
    pub locations: Locations,
    /// Begins an upload where a mount is asked for.
    pub declines_mounts: bool,
    /// Where blobs are fetched from: a scheme and host, with the path and a query of its own.
    pub blobs_elsewhere: Option<String>,
    /// Refuses image indexes and manifest lists, as Amazon's does.
    pub refuses_indexes: bool,
    /// The most tags on a page.
    pub page: Option<usize>,
    /// The least bytes of a chunk that is not the last, told by OCI-Chunk-Min-Length.
    pub least_chunk: Option<usize>,
    /// Takes manifests that name what is not there.
    pub trusts_manifests: bool,
}

/// A registry.
#[derive(Debug, Default)]
pub struct Registry {
    /// What it holds.
    pub content: Content,
    manners: Mutex<Manners>,
}

impl Registry {
    /// An empty one.
    pub fn new(manners: Manners) -> Self {
        Self { content: Content::default(), manners: Mutex::new(manners) }
    }

    /// Its manners, to be changed at any time.
    pub fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap()
    }
}

impl Service for Registry {
    fn answer(&self, request: &Request, base: &str) -> Answer {
        let manners = self.manners().clone();
        let answer = match Route::of(request) {
            Some(route) => match refuse(&manners.auth, request, &route) {
                Some(refusal) => refusal,
                None => Handling { content: &self.content, manners: &manners, request, base }.answer(&route),
            },
            None => error(404, "UNSUPPORTED", request.path()),
        };
        answer.with("Docker-Distribution-Api-Version", "registry/2.0")
    }
}

/// One request in the making.
struct Handling<'a> {
    content: &'a Content,
    manners: &'a Manners,
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
        let asked = self.request.parameter("n").and_then(|n| n.parse().ok());
        let page = [asked, self.manners.page].into_iter().flatten().min().unwrap_or(usize::MAX);
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
        if let (Some(host), "GET") = (&self.manners.blobs_elsewhere, self.request.method.as_str())
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
        if self.manners.refuses_indexes && manifest["manifests"].is_array() {
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
        if !missing.is_empty() && !self.manners.trusts_manifests {
            let unknown = |digest: &String| json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": {"digest": digest}});
            let errors: Vec<Value> = missing.iter().map(unknown).collect();
            return Answer::new(404).json(&json!({"errors": errors}));
        }
        self.content.store_manifest(name, tag, &digest, media_type, bytes.clone());
        let answer = self.created(&format!("/v2/{name}/manifests/{digest}"), &digest);
        match manifest["subject"]["digest"].as_str() {
            Some(subject) => answer.with("OCI-Subject", subject),
            None => answer,
        }
    }

    fn begin(&self, name: &str) -> Answer {
        let parameter = |key| self.request.parameter(key);
        if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
            && !self.manners.declines_mounts
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

    /// Does something with an upload of which so many bytes are there.
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

    /// How far an upload is. Of an empty one Docker's registry says `0-0`, too.
    fn progress(&self, name: &str, id: &str, status: u16, length: usize) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/{id}");
        let location = match &self.manners.locations {
            Locations::Absolute => format!("{}{path}", self.base),
            Locations::Relative => path,
            Locations::Query => format!("{}{path}?_state=a%2Fb%3D%3D&n=1", self.base),
            Locations::Elsewhere(host) => format!("{host}{path}"),
        };
        let answer = Answer::new(status)
            .with("Location", location)
            .with("Range", format!("0-{}", length.saturating_sub(1)))
            .with("Docker-Upload-UUID", id);
        match self.manners.least_chunk {
            Some(least) => answer.with("OCI-Chunk-Min-Length", least.to_string()),
            None => answer,
        }
    }

    fn created(&self, path: &str, digest: &str) -> Answer {
        Answer::new(201)
            .with("Location", format!("{}{path}", self.base))
            .with("Docker-Content-Digest", digest)
    }
}

/// An error with its usual message, and what it is about.
fn error(status: u16, code: &str, about: &str) -> Answer {
    Answer::error(status, code, about)
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
