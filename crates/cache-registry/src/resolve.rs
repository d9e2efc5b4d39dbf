//! From a name to a manifest, or to its descriptor alone.
//!
//! If the descriptor is enough, the manifest is read only if the answer to a HEAD lacks its digest, size or media type. If
//! the name is a digest, an answer with another digest is an error. A body is hashed here only if the answer states no
//! digest; otherwise its reader verifies it against the stated one.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Hasher, Mismatch, Name, Resolved, Source, Standing, stated_media_type};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};
use cache_target::Reference;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::error::RequestFailure;
use crate::http::body::read_metadata;
use crate::http::transport::{Answer, Request};
use crate::protocol::{accepted, header};
use crate::repository::RepositoryClient;
use crate::text::printable;

impl RepositoryClient {
    /// The descriptor of the manifest that a name stands for.
    pub(crate) async fn resolve_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
        let call = self.call("resolve", self.named(name));
        let head = self.manifest_request(&call, Method::HEAD, name).await?;
        let answer = self.client.send(&call, &head).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(no_such_manifest(&call, name)),
            // A registry may support GET only. The refusal of a HEAD has no words, that of a GET has.
            _ => return self.read_descriptor(name).await,
        }
        match ManifestHead::of(&answer, &call)? {
            ManifestHead { media_type: Some(media_type), digest: Some(digest), size: Some(size) } => {
                self.check_size(&call, size)?;
                check_digest(&call, name, digest)?;
                Ok(Descriptor::new(media_type, digest, size))
            }
            _ => self.read_descriptor(name).await,
        }
    }

    /// The descriptor of a manifest that had to be read, and is verified.
    pub(crate) async fn read_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
        let Resolved { descriptor, bytes, .. } = self.resolve(name).await?;
        let bytes = bytes.unwrap_or_default();
        Source::from_bytes(descriptor.clone(), bytes).read(self.max_metadata()).await?;
        Ok(descriptor)
    }

    /// The manifest that a name stands for, in one request. Its bytes are not verified against a stated digest.
    pub(crate) async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        let call = self.call("resolve", self.named(name));
        let request = self.manifest_request(&call, Method::GET, name).await?;
        let (head, body) =
            self.client.repeat(&call.operation, || self.read_manifest(&call, &request, name)).await?;
        let algorithm = match name {
            Name::Digest(digest) => digest.algorithm(),
            _ => Algorithm::Sha256,
        };
        let digest = head.digest.unwrap_or_else(|| Hasher::digest(algorithm, &body));
        check_digest(&call, name, digest)?;
        let media_type = match (head.media_type, stated_media_type(&body)) {
            // A manifest with two media types is refused (OCI distribution specification, "Pulling manifests"). The
            // media type in a body of another digest means nothing.
            (Some(head), Some(stated)) if head != stated && is_of(digest, &body) => {
                let reason = format_args!(
                    "the registry declares it as {head}, but its mediaType is {}",
                    printable(stated.as_str())
                );
                return Err(call.operation.error(ErrorKind::Corrupt, reason));
            }
            (Some(head), _) => head,
            (None, Some(stated)) if stated.is_manifest() => stated,
            (None, _) => {
                return Err(call
                    .operation
                    .error(ErrorKind::Unsupported, "it is not a manifest or index of a known type"));
            }
        };
        Ok(Resolved::new(Descriptor::new(media_type, digest, body.len() as u64)).with_bytes(body))
    }

    /// Reads a manifest, and what the head of the answer states about it.
    async fn read_manifest(
        &self,
        call: &Call<'_>,
        request: &Request,
        name: &Name,
    ) -> Result<(ManifestHead, Bytes), RequestFailure> {
        let answer = self.client.attempt(call, request).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(no_such_manifest(call, name).into()),
            _ => return Err(self.client.read_refusal(answer, &call.operation).await.1.into()),
        }
        let head = ManifestHead::of(&answer, call)?;
        let silence = self.client.transport().silence();
        let body = read_metadata(answer.response, self.max_metadata(), silence, &call.operation).await?;
        Ok((head, body))
    }

    async fn manifest_request(&self, call: &Call<'_>, method: Method, name: &Name) -> Result<Request, Error> {
        let url = self.client.url(call, &self.path_of_name(call, name)?).await?;
        let mut request = Request::new(method, url);
        request.headers.insert(ACCEPT, header(&accepted(), &call.operation)?);
        Ok(request)
    }

    fn check_size(&self, call: &Call<'_>, size: u64) -> Result<(), Error> {
        let limit = self.max_metadata();
        if size <= limit { Ok(()) } else { Err(call.operation.above_metadata_limit(Some(size), limit)) }
    }

    /// What a name stands for, by the registry's word, and if the options say so, by the content.
    pub(crate) async fn standing(&self, name: &Name, descriptor: &Descriptor) -> Result<Standing, Error> {
        let name = name.to_publish(descriptor)?;
        let found = match self.client.options().rehash {
            true => self.read_descriptor(&name).await,
            false => self.resolve_descriptor(&name).await,
        };
        match found {
            Ok(found) if found.digest == descriptor.digest => Ok(Standing::Published),
            Ok(found) => Ok(Standing::Other(found.digest)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Standing::Unknown),
            Err(error) if error.cause_as::<Mismatch>().is_some() => Ok(Standing::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The path of the manifest that has a name.
    pub(crate) fn path_of_name(&self, call: &Call<'_>, name: &Name) -> Result<String, Error> {
        match name {
            Name::Unspecified => Ok(self.path(format_args!("manifests/{}", Name::LATEST))),
            Name::Tag(tag) if Reference::is_tag(tag) => Ok(self.path(format_args!("manifests/{tag}"))),
            Name::Tag(_) => Err(call.operation.error(ErrorKind::Invalid, "it is not a valid tag")),
            Name::Digest(digest) => Ok(self.path(format_args!("manifests/{digest}"))),
        }
    }
}

/// What the head of an answer states about a manifest.
struct ManifestHead {
    /// `None` for a type that is not a manifest's, such as `application/json`.
    media_type: Option<MediaType>,
    digest: Option<Digest>,
    size: Option<u64>,
}

impl ManifestHead {
    fn of(answer: &Answer, call: &Call<'_>) -> Result<Self, Error> {
        let text = answer.header(CONTENT_TYPE).unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        let media_type = MediaType::new(essence);
        let digest = match answer.content_digest().map(str::parse::<Digest>) {
            None => None,
            Some(Ok(digest)) => Some(digest),
            Some(Err(cause)) => {
                let cause = printable(&cause.to_string());
                let reason = format_args!("the registry states a malformed digest: {cause}");
                return Err(call.operation.error(ErrorKind::Corrupt, reason));
            }
        };
        let media_type = Some(media_type).filter(MediaType::is_manifest);
        // No manifest is empty. Some proxies state the length of the body of a HEAD, which has none.
        let size = answer.length().filter(|size| *size > 0);
        Ok(Self { media_type, digest, size })
    }
}

fn no_such_manifest(call: &Call<'_>, name: &Name) -> Error {
    let what = if matches!(name, Name::Digest(_)) { "manifest" } else { "tag" };
    let reason = format_args!("there is no such {what}: the registry answers 404 Not Found");
    call.operation.error(ErrorKind::NotFound, reason)
}

fn is_of(digest: Digest, bytes: &[u8]) -> bool {
    Hasher::digest(digest.algorithm(), bytes) == digest
}

fn check_digest(call: &Call<'_>, name: &Name, digest: Digest) -> Result<(), Error> {
    match name {
        Name::Digest(requested) if *requested != digest => {
            Err(call.operation.error(ErrorKind::Corrupt, format_args!("the registry answers with {digest}")))
        }
        _ => Ok(()),
    }
}
