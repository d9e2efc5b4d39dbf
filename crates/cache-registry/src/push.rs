//! Pushing one blob: nothing if the registry has it, a mount if another repository of the registry has it, else an upload.
//!
//! A registry that declines a mount begins an upload, which is used.

use cache_ingest::{Error, ErrorKind, Origin, Source, Stored};
use cache_model::Descriptor;
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::http::transport::Request;
use crate::pull::FoundBlob;
use crate::repository::RepositoryClient;
use crate::upload::{Session, Upload, session};

/// The size, in bytes, above which a blob is large.
const LARGE: u64 = 32 << 20;

impl RepositoryClient {
    pub(crate) async fn push(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.will_push();
        let call = self.call("put", self.at(&descriptor.digest));
        let found = match self.is_trusted_with(&descriptor.digest) {
            true => self.find_blob(source).await?,
            false => FoundBlob::Absent,
        };
        match found {
            FoundBlob::Whole => return Ok(Stored::AlreadyPresent),
            FoundBlob::Absent => return self.send(&call, descriptor, source, source.origin()).await,
            FoundBlob::Damaged | FoundBlob::Unreadable(_) => {}
        }
        // The other repositories of a registry share its storage, so the blob is not mounted.
        let stored = self.send(&call, descriptor, source, None).await?;
        match self.find_blob(source).await? {
            FoundBlob::Whole => Ok(stored),
            FoundBlob::Unreadable(error) => Err(error.tried_enough()),
            FoundBlob::Damaged | FoundBlob::Absent => {
                let reason = "the registry has other content under this digest, and keeps it although the blob was sent again; \
                              remove the blob from its storage";
                Err(call.operation.error(ErrorKind::Corrupt, reason).tried_enough())
            }
        }
    }

    /// Sends a blob that the registry lacks.
    async fn send(
        &self,
        call: &Call<'_>,
        descriptor: &Descriptor,
        source: &Source<'_>,
        origin: Option<Origin>,
    ) -> Result<Stored, Error> {
        if descriptor.media_type.is_manifest() {
            let bytes = source.read(self.max_metadata()).await?;
            let name = cache_ingest::Name::Digest(descriptor.digest);
            self.put_manifest(call, &name, descriptor, bytes).await?;
            return Ok(Stored::Stored);
        }
        // The semaphores are never closed.
        let large = self.client.large_uploads();
        let _large_permit = if descriptor.size > LARGE { Some(large.acquire().await) } else { None };
        let _permit = self.client.uploads().acquire().await;
        // A blob that the registry wrongly claimed to have is not mounted either.
        let origin = origin.filter(|_| self.is_trusted_with(&descriptor.digest));
        let mounted = match origin {
            Some(origin) => self.mount(call, descriptor, &origin).await?,
            None => Mount::Declined,
        };
        let mut upload = Upload::new(self, descriptor, source);
        let session = match mounted {
            Mount::Mounted => return Ok(Stored::Mounted),
            Mount::Session(session) => session,
            Mount::Declined => {
                // Before the session begins, so that an unreadable source leaves none behind.
                upload.prepare().await?;
                self.begin(call).await?
            }
        };
        upload.run(call, session).await?;
        self.trust(&descriptor.digest);
        Ok(Stored::Stored)
    }

    /// Requests a mount from another repository of the registry.
    async fn mount(&self, call: &Call<'_>, descriptor: &Descriptor, origin: &Origin) -> Result<Mount, Error> {
        let (here, from) = (self.repository(), origin.repository.as_str());
        if origin.service != here.host() || from == here.path() || !self.may_mount_from(from) {
            return Ok(Mount::Declined);
        }
        let mut url = self.client.url(call, &self.path("blobs/uploads/")).await?;
        let digest = descriptor.digest.to_string();
        url.query_pairs_mut().append_pair("mount", &digest).append_pair("from", from);
        let mounting =
            Call { scopes: call.scopes.clone().and_pull(from), operation: call.operation.clone(), ..*call };
        let answer = match self.client.send(&mounting, &Request::new(Method::POST, url)).await {
            Ok(answer) => answer,
            // A token server may refuse all scopes instead of granting some.
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
            // Some registries refuse a mount instead of declining it.
            _ => Ok(Mount::Declined),
        }
    }

    /// Begins an upload.
    async fn begin(&self, call: &Call<'_>) -> Result<Session, Error> {
        let url = self.client.url(call, &self.path("blobs/uploads/")).await?;
        let answer = self.client.send(call, &Request::new(Method::POST, url)).await?;
        match answer.status() {
            StatusCode::ACCEPTED => session(&answer, call),
            _ => Err(self.client.read_refusal(answer, &call.operation).await.1),
        }
    }
}

/// The answer to a request for a mount.
enum Mount {
    Mounted,
    /// The registry has begun an upload instead.
    Session(Session),
    Declined,
}
