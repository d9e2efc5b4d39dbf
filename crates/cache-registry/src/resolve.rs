//! From a name to a manifest's descriptor.
//!
//! The manifest itself is read only where its head does not tell enough. What a registry says of a digest that was
//! asked for has to be that digest.

use cache_ingest::{Error, ErrorKind, Hasher, Name};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};
use cache_target::Reference;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::client::Call;
use crate::error::printable;
use crate::http::body::read_all;
use crate::http::transport::{Answer, Request};
use crate::protocol::{METADATA_LIMIT, accepted, header};
use crate::repository::RepositoryClient;

const CONTENT_DIGEST: &str = "docker-content-digest";

impl RepositoryClient {
    /// What a name stands for.
    pub(crate) async fn find(&self, name: &Name) -> Result<Descriptor, Error> {
        let call = self.call("resolve", self.named(name));
        let head =
            Request::new(Method::HEAD, self.client.url(&call, &self.path_of_name(&call, name)?).await?);
        let mut head = head;
        head.headers.insert(ACCEPT, header(&accepted(), &call.about)?);
        let answer = self.client.send(&call, &head).await?;
        match answer.status() {
            StatusCode::OK => {}
            // What HEAD is not for, GET may be.
            StatusCode::METHOD_NOT_ALLOWED => return self.find_by_reading(&call, head, name).await,
            StatusCode::NOT_FOUND => {
                // The answer to a HEAD has no body that would say it.
                let what = if matches!(name, Name::Digest(_)) { "manifest" } else { "tag" };
                let reason = format_args!("there is no such {what}: the registry answers 404 Not Found");
                return Err(call.about.error(ErrorKind::NotFound, reason));
            }
            _ => return Err(self.client.refusal(answer, &call.about).await.1),
        }
        let told = Told::of(&answer, &call)?;
        match told {
            Told { media_type: Some(media_type), digest: Some(digest), size: Some(size) } => {
                check_size(&call, size)?;
                check_digest(&call, name, digest)?;
                Ok(Descriptor::new(media_type, digest, size))
            }
            _ => self.find_by_reading(&call, head, name).await,
        }
    }

    /// What a name stands for, where only the manifest itself says it.
    async fn find_by_reading(
        &self,
        call: &Call<'_>,
        head: Request,
        name: &Name,
    ) -> Result<Descriptor, Error> {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(rename = "mediaType")]
            media_type: Option<String>,
        }
        let request = Request { method: Method::GET, ..head };
        let answer = self.client.send(call, &request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.client.refusal(answer, &call.about).await.1);
        }
        let told = Told::of(&answer, call)?;
        let stall = self.client.transport().stall();
        let read = read_all(answer.response, METADATA_LIMIT, stall, &call.about).await;
        let body = read.map_err(|failure| failure.error)?;
        let algorithm = match (name, &told.digest) {
            (Name::Digest(digest), _) | (_, Some(digest)) => digest.algorithm(),
            _ => Algorithm::Sha256,
        };
        let digest = Hasher::digest(algorithm, &body);
        if let Some(other) = told.digest.filter(|told| *told != digest) {
            let reason = format_args!("the registry says its digest is {other}, and it is {digest}");
            return Err(call.about.error(ErrorKind::Corrupt, reason));
        }
        check_digest(call, name, digest)?;
        let said = serde_json::from_slice::<Typed>(&body).ok().and_then(|typed| typed.media_type);
        let said = said.map(|said| MediaType::new(&said)).filter(|said| !said.is_empty());
        let media_type = match (told.media_type, said) {
            // A manifest that is two things at once is neither (OCI distribution specification, "Pulling manifests").
            (Some(told), Some(said)) if told != said => {
                let reason = format_args!(
                    "the registry says it is {told}, and it says itself that it is {}",
                    printable(said.as_str())
                );
                return Err(call.about.error(ErrorKind::Corrupt, reason));
            }
            (Some(told), _) => told,
            (None, Some(said)) if said.is_manifest() => said,
            (None, _) => {
                return Err(call
                    .about
                    .error(ErrorKind::Unsupported, "it is no manifest or index of a known type"));
            }
        };
        Ok(Descriptor::new(media_type, digest, body.len() as u64))
    }

    /// Whether a name stands for a manifest.
    pub(crate) async fn stands_for(&self, name: &Name, descriptor: &Descriptor) -> Result<bool, Error> {
        match self.find(&name.to_publish(descriptor)?).await {
            Ok(found) => Ok(found.digest == descriptor.digest),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The path of the manifest that has a name.
    pub(crate) fn path_of_name(&self, call: &Call<'_>, name: &Name) -> Result<String, Error> {
        match name {
            Name::Unspecified => Ok(self.path(format_args!("manifests/{}", Name::LATEST))),
            Name::Tag(tag) if Reference::is_tag(tag) => Ok(self.path(format_args!("manifests/{tag}"))),
            Name::Tag(_) => Err(call.about.error(ErrorKind::Invalid, "a registry has no such tags")),
            Name::Digest(digest) => Ok(self.path(format_args!("manifests/{digest}"))),
        }
    }
}

/// What the head of an answer says of a manifest.
struct Told {
    /// A known one; others, such as `application/json`, say nothing.
    media_type: Option<MediaType>,
    digest: Option<Digest>,
    size: Option<u64>,
}

impl Told {
    fn of(answer: &Answer, call: &Call<'_>) -> Result<Self, Error> {
        let text = answer.header(CONTENT_TYPE).unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        let media_type = MediaType::new(essence);
        let digest = match answer.header(CONTENT_DIGEST).map(str::parse::<Digest>) {
            None => None,
            Some(Ok(digest)) => Some(digest),
            Some(Err(cause)) => {
                let cause = printable(&cause.to_string());
                let reason = format_args!("the registry gives it a digest that is none: {cause}");
                return Err(call.about.error(ErrorKind::Corrupt, reason));
            }
        };
        let media_type = Some(media_type).filter(MediaType::is_manifest);
        Ok(Self { media_type, digest, size: answer.length() })
    }
}

fn check_size(call: &Call<'_>, size: u64) -> Result<(), Error> {
    if size <= METADATA_LIMIT {
        return Ok(());
    }
    let reason = format_args!("a manifest of {size} bytes is more than the {METADATA_LIMIT} bytes allowed");
    Err(call.about.error(ErrorKind::TooLarge, reason))
}

fn check_digest(call: &Call<'_>, name: &Name, digest: Digest) -> Result<(), Error> {
    match name {
        Name::Digest(asked) if *asked != digest => {
            Err(call.about.error(ErrorKind::Corrupt, format_args!("the registry answers with {digest}")))
        }
        _ => Ok(()),
    }
}
