//! Pushing manifests: the exact bytes, under a tag or their digest, with the look at the tag before and after.
//!
//! A registry that lacks a blob of the manifest is not believed when it says, the next time, that it has it.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Expect, Name, Verifier};
use cache_model::{Descriptor, MediaType};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::http::transport::Request;
use crate::protocol::header;
use crate::repository::RepositoryClient;

const BLOB_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
/// How registries refuse a manifest whose form they do not take.
const REFUSED_FORM: [&str; 4] =
    ["MANIFEST_INVALID", "MANIFEST_UNKNOWN", "UNSUPPORTED", "MANIFEST_UNVERIFIED"];
/// What a registry has not, when it says that it has something not.
const UNKNOWN_NAME: [&str; 2] = ["NAME_UNKNOWN", "NAME_INVALID"];

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
        // Who does not mind what is there saves the look: to send a manifest that is there costs as much.
        if expect != Expect::Any {
            let current = self.current(&name).await?;
            expect.check(&name, current.as_ref().map(|current| current.digest))?;
            if current.is_some_and(|current| current.digest == descriptor.digest) {
                return Ok(());
            }
        }
        self.put_manifest(&call, &name, descriptor, bytes).await?;
        if expect != Expect::Any {
            let seen = self.current(&name).await?.map(|seen| seen.digest);
            if seen != Some(descriptor.digest) {
                let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
                let reason = format_args!(
                    "it was published, and stands for {seen} already: someone else publishes, too"
                );
                return Err(call.operation.error(ErrorKind::Conflict, reason));
            }
        }
        Ok(())
    }

    async fn current(&self, name: &Name) -> Result<Option<Descriptor>, Error> {
        match self.find(name).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a manifest. That may be repeated: it changes nothing the second time.
    pub(crate) async fn put_manifest(
        &self,
        call: &Call<'_>,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let url = self.client.url(call, &self.path_of_name(call, name)?).await?;
        let mut request = Request::new(Method::PUT, url);
        request.headers.insert(CONTENT_TYPE, header(descriptor.media_type.as_str(), &call.operation)?);
        request.body = bytes;
        let answer = self.client.send(call, &request).await?;
        if answer.status().is_success() && answer.status() != StatusCode::ACCEPTED {
            let told = answer.header("docker-content-digest").map(str::parse);
            if told.is_some_and(|told| told != Ok(descriptor.digest)) {
                let reason = "the registry says that it has stored a manifest with another digest";
                return Err(call.operation.error(ErrorKind::Corrupt, reason).tried_enough());
            }
            self.trust_all();
            return Ok(());
        }
        let (answered, error) = self.client.refusal(answer, &call.operation).await;
        let is_index = [MediaType::OCI_INDEX, MediaType::DOCKER_LIST].contains(&descriptor.media_type);
        let missing = answered.digests(BLOB_UNKNOWN);
        let refuses_form = match answered.status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => true,
            // So does Harbor.
            StatusCode::NOT_FOUND if error.kind() == ErrorKind::NotFound => !answered.has_code(&UNKNOWN_NAME),
            // Amazon's wants an image for each entry, and says of none which it is.
            _ if error.kind() == ErrorKind::Incomplete => missing.is_empty(),
            _ => answered.has_code(&REFUSED_FORM),
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
