//! Pushing one blob: nothing where it is there, a mount where it lies in the registry already, else an upload.
//!
//! The registry's answer to a mount that it declines is the beginning of an upload, and is used as that.

use cache_ingest::{Error, ErrorKind, Origin, Source, Stored};
use cache_model::Descriptor;
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode, Url};

use crate::RegistryStore;
use crate::client::Call;
use crate::store::METADATA_LIMIT;
use crate::transport::{Answer, Request, follow};
use crate::upload::Upload;

impl RegistryStore {
    pub(crate) async fn push(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.will_push();
        let call = self.call("put", self.at(&descriptor.digest));
        if self.believes_in(&descriptor.digest) && self.is_there(&call, descriptor).await? {
            return Ok(Stored::AlreadyPresent);
        }
        if descriptor.media_type.is_manifest() {
            let bytes = source.read(METADATA_LIMIT).await?;
            let name = cache_ingest::Name::Digest(descriptor.digest);
            self.put_manifest(&call, &name, descriptor, bytes).await?;
            return Ok(Stored::Stored);
        }
        // The semaphore is never closed.
        let _permit = self.client.uploads().acquire().await;
        // What the registry has been wrong about is sent, and not mounted either.
        let origin = source.origin().filter(|_| self.believes_in(&descriptor.digest));
        let mounted = match origin {
            Some(origin) => self.mount(&call, descriptor, &origin).await?,
            None => Mount::Declined,
        };
        let mut upload = Upload::new(self, descriptor, source);
        let session = match mounted {
            Mount::Mounted => return Ok(Stored::Mounted),
            Mount::Session(session) => session,
            Mount::Declined => {
                // A source that cannot be read leaves no session behind.
                upload.prepare().await?;
                self.begin(&call).await?
            }
        };
        upload.run(&call, session).await?;
        self.trust(&descriptor.digest);
        Ok(Stored::Stored)
    }

    /// Whether the registry has a blob, of the right size.
    pub(crate) async fn is_there(&self, call: &Call<'_>, descriptor: &Descriptor) -> Result<bool, Error> {
        match self.size_of(descriptor).await {
            Ok(size) if size == descriptor.size => Ok(true),
            Ok(size) => {
                let reason = format_args!(
                    "the registry has it with {size} bytes, its descriptor says {}",
                    descriptor.size
                );
                Err(call.about.error(ErrorKind::Invalid, reason))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks for a mount from another repository of the registry.
    async fn mount(&self, call: &Call<'_>, descriptor: &Descriptor, origin: &Origin) -> Result<Mount, Error> {
        let (here, from) = (self.repository(), origin.repository.as_str());
        if origin.service != here.host() || from == here.path() || !self.may_mount_from(from) {
            return Ok(Mount::Declined);
        }
        let mut url = self.client.url(call, &self.path("blobs/uploads/")).await?;
        let digest = descriptor.digest.to_string();
        url.query_pairs_mut().append_pair("mount", &digest).append_pair("from", from);
        let mounting =
            Call { scopes: call.scopes.clone().and_pull(from), about: call.about.clone(), ..*call };
        let answer = match self.client.send(&mounting, &Request::new(Method::POST, url)).await {
            Ok(answer) => answer,
            // A token server may refuse the whole where it would give a part.
            Err(error) if error.kind() == ErrorKind::Denied => {
                self.cannot_mount_from(from);
                return Ok(Mount::Declined);
            }
            Err(error) => return Err(error),
        };
        match answer.status() {
            StatusCode::CREATED => Ok(Mount::Mounted),
            StatusCode::ACCEPTED => session(&answer, call).map(Mount::Session),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.cannot_mount_from(from);
                Ok(Mount::Declined)
            }
            // Some registries refuse where they should decline.
            _ => Ok(Mount::Declined),
        }
    }

    /// Begins an upload.
    async fn begin(&self, call: &Call<'_>) -> Result<Session, Error> {
        let url = self.client.url(call, &self.path("blobs/uploads/")).await?;
        let answer = self.client.send(call, &Request::new(Method::POST, url)).await?;
        match answer.status() {
            StatusCode::ACCEPTED => session(&answer, call),
            _ => Err(self.client.refusal(answer, &call.about).await.1),
        }
    }
}

/// What came of asking for a mount.
enum Mount {
    Mounted,
    /// It is the beginning of an upload.
    Session(Session),
    Declined,
}

/// An upload that a registry has begun.
pub(crate) struct Session {
    /// Where it goes on.
    pub(crate) location: Url,
    /// The least bytes of each request but the last (OCI distribution specification, "Pushing a blob in chunks").
    pub(crate) least: u64,
}

/// What an answer says of the upload.
pub(crate) fn session(answer: &Answer, call: &Call<'_>) -> Result<Session, Error> {
    let least =
        answer.header("oci-chunk-min-length").and_then(|least| least.trim().parse().ok()).unwrap_or(0);
    match answer.response.headers().get(LOCATION) {
        Some(location) => Ok(Session { location: follow(&answer.url, location, &call.about)?, least }),
        None => Err(call.about.error(ErrorKind::Other, "the registry does not say where to upload to")),
    }
}
