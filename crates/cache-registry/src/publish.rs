//! Publishing manifests: the exact bytes, under a tag or their digest. An expectation is checked before and after.
//!
//! If the registry refuses a manifest for a missing blob, it is no longer trusted to have that blob.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Expect, Name, Verifier};
use cache_model::{Descriptor, MediaType};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::error_response::UNKNOWN_NAME;
use crate::http::transport::{Request, STORING};
use crate::protocol::header;
use crate::repository::RepositoryClient;

/// The header by which a registry says that it lists a manifest for its subject.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const BLOB_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
/// Error codes by which registries refuse the form of a manifest.
const REFUSED_FORM: [&str; 4] =
    ["MANIFEST_INVALID", "MANIFEST_UNKNOWN", "UNSUPPORTED", "MANIFEST_UNVERIFIED"];

impl RepositoryClient {
    pub(crate) async fn publish_manifest(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        self.will_push();
        let mut verifier = Verifier::new(descriptor);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let name = name.to_publish(descriptor)?;
        let call = self.call("publish", self.named(&name));
        // Without an expectation the tag is not read, as sending a manifest costs no more than reading the tag.
        if expect != Expect::Any {
            let current = self.current(&name).await?;
            expect.check(&name, current.as_ref().map(|current| current.digest))?;
            if current.is_some_and(|current| current.digest == descriptor.digest) {
                return Ok(());
            }
        }
        self.put_manifest(&call, &name, descriptor, bytes).await?;
        if self.client.options().rehash {
            // A registry that has the manifest with other content may keep that. It is read by its digest, since the tag leads
            // to whatever the registry now has under it, with the digest of that.
            self.read_descriptor(&Name::Digest(descriptor.digest)).await?;
        }
        if expect != Expect::Any {
            let seen = self.current(&name).await?.map(|seen| seen.digest);
            if seen != Some(descriptor.digest) {
                let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
                let reason = format_args!(
                    "it was published, but already stands for {seen}: someone else publishes it as well"
                );
                return Err(call.operation.error(ErrorKind::Conflict, reason));
            }
        }
        Ok(())
    }

    async fn current(&self, name: &Name) -> Result<Option<Descriptor>, Error> {
        match self.resolve_descriptor(name).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a manifest. It is repeated if necessary, since sending it twice changes nothing. Gives whether the registry will list
    /// it for its subject.
    pub(crate) async fn put_manifest(
        &self,
        call: &Call<'_>,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
    ) -> Result<bool, Error> {
        let url = self.client.url(call, &self.path_of_name(call, name)?).await?;
        let mut request = Request::new(Method::PUT, url);
        request.headers.insert(CONTENT_TYPE, header(descriptor.media_type.as_str(), &call.operation)?);
        request.body = bytes;
        // Harbor takes up to a minute (goharbor/harbor#19902).
        request.patience_factor = STORING;
        let answer = self.client.send(call, &request).await?;
        if answer.status().is_success() && answer.status() != StatusCode::ACCEPTED {
            let stored = answer.content_digest().map(str::parse);
            if stored.is_some_and(|stored| stored != Ok(descriptor.digest)) {
                let reason = "the registry says that it has stored a manifest with another digest";
                return Err(call.operation.error(ErrorKind::Corrupt, reason).tried_enough());
            }
            self.trust_all();
            return Ok(answer.header(OCI_SUBJECT).is_some());
        }
        let (response, error) = self.client.read_refusal(answer, &call.operation).await;
        let is_index = [MediaType::OCI_INDEX, MediaType::DOCKER_LIST].contains(&descriptor.media_type);
        let missing = response.digests(BLOB_UNKNOWN);
        let refuses_form = match response.status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => true,
            // Harbor answers so.
            StatusCode::NOT_FOUND if error.kind() == ErrorKind::NotFound => !response.has_code(&UNKNOWN_NAME),
            // Amazon's registry requires an image for each entry, and names no missing one.
            _ if error.kind() == ErrorKind::Incomplete => missing.is_empty(),
            _ => response.has_code(&REFUSED_FORM),
        };
        if is_index && refuses_form {
            let reason = format_args!(
                "{}; registries that refuse a cache in the form of an index take one in the form of a manifest: --form manifest",
                error.reason()
            );
            return Err(call.operation.error(ErrorKind::Unsupported, reason));
        }
        if error.kind() == ErrorKind::Incomplete {
            self.doubt(missing);
        }
        Err(error)
    }
}
