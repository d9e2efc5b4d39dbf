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
        let mut upload = Upload::new(self, descriptor, source);
        // A source that cannot be read leaves no session behind.
        upload.prepare().await?;
        let location = match self.begin(&call, descriptor, source.origin()).await? {
            Begun::Mounted => {
                self.trust(&descriptor.digest);
                return Ok(Stored::Mounted);
            }
            Begun::Session(location) => location,
        };
        upload.run(&call, location).await?;
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

    /// Asks for a mount where that may be, else for an upload.
    async fn begin(
        &self,
        call: &Call<'_>,
        descriptor: &Descriptor,
        origin: Option<Origin>,
    ) -> Result<Begun, Error> {
        let here = self.repository();
        let from = origin
            .filter(|origin| origin.service == here.host() && origin.repository != here.path())
            .map(|origin| origin.repository);
        let mut url = self.client.url(call, &self.path("blobs/uploads/")).await?;
        if let Some(from) = &from {
            url.query_pairs_mut()
                .append_pair("mount", &descriptor.digest.to_string())
                .append_pair("from", from);
            let mounting =
                Call { scopes: call.scopes.clone().and_pull(from), about: call.about.clone(), ..*call };
            let answer = self.client.send(&mounting, &Request::new(Method::POST, url.clone())).await?;
            match answer.status() {
                StatusCode::CREATED => return Ok(Begun::Mounted),
                StatusCode::ACCEPTED => return session(&answer, call).map(Begun::Session),
                // Some registries refuse where they should decline.
                _ => url.set_query(None),
            }
        }
        let answer = self.client.send(call, &Request::new(Method::POST, url)).await?;
        match answer.status() {
            StatusCode::ACCEPTED => session(&answer, call).map(Begun::Session),
            _ => Err(self.client.refusal(answer, &call.about).await.1),
        }
    }
}

enum Begun {
    Mounted,
    /// Where to send the blob.
    Session(Url),
}

/// Where an answer says that an upload goes on.
pub(crate) fn session(answer: &Answer, call: &Call<'_>) -> Result<Url, Error> {
    match answer.response.headers().get(LOCATION) {
        Some(location) => follow(&answer.url, location, &call.about),
        None => Err(call.about.error(ErrorKind::Other, "the registry does not say where to upload to")),
    }
}
