//! One upload: the bytes of a blob, in one request or in chunks, continued where it broke off.
//!
//! The last byte is sent only after the whole blob has been verified, and the digest is sent with it. So no other content
//! can become visible, whatever happens to the source or the connection.

use cache_ingest::{Error, ErrorKind, Source};
use cache_model::Descriptor;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode, Url};

use crate::call::Call;
use crate::client::{Client, MOST_REAUTHORIZATIONS};
use crate::error::UploadInterruption;
use crate::error_response::is_transient;
use crate::http::sending::{BodySource, StreamedRequest};
use crate::http::transport::{Answer, Request, STORING, follow};
use crate::protocol::header;
use crate::pull::FoundBlob;
use crate::repository::RepositoryClient;

/// An upload that a registry has begun.
pub(crate) struct Session {
    /// The URL of the next request.
    pub(crate) location: Url,
    /// The least size, in bytes, of each chunk but the last (OCI distribution specification, "Pushing a blob in chunks").
    pub(crate) min_chunk: u64,
}

/// The session in an answer.
pub(crate) fn session(answer: &Answer, call: &Call<'_>) -> Result<Session, Error> {
    let min_chunk =
        answer.header("oci-chunk-min-length").and_then(|size| size.trim().parse().ok()).unwrap_or(0);
    match answer.response.headers().get(LOCATION) {
        Some(location) => {
            Ok(Session { location: follow(&answer.url, location, &call.operation)?, min_chunk })
        }
        None => Err(call.operation.error(ErrorKind::Other, "the registry does not say where to upload to")),
    }
}

/// A session that the registry is asked to end if it is dropped before the upload is finished.
struct OpenSession<'s> {
    client: &'s Client,
    call: &'s Call<'s>,
    location: Url,
    is_finished: bool,
}

impl Drop for OpenSession<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.client.cancel_upload(self.call, self.location.clone());
        }
    }
}

/// How a request was sent.
enum Sending<'a> {
    /// Once, with this authorization, as its body can be read once only.
    Once(Option<&'a HeaderValue>),
    /// Again after each 401 that has taught how to authorize it.
    Repeatedly,
}

/// A blob that is uploaded. All methods take `&mut self`, since a reader cannot be shared among threads.
pub(crate) struct Upload<'u> {
    repository: &'u RepositoryClient,
    descriptor: &'u Descriptor,
    source: &'u Source<'u>,
    body: BodySource<'u>,
    /// How many bytes the registry has received.
    offset: u64,
    /// How many bytes have been sent at most, from the first byte on.
    sent: u64,
    /// The least size, in bytes, of each chunk but the last.
    min_chunk: u64,
}

impl<'u> Upload<'u> {
    pub(crate) fn new(
        repository: &'u RepositoryClient,
        descriptor: &'u Descriptor,
        source: &'u Source<'u>,
    ) -> Self {
        Self {
            repository,
            descriptor,
            source,
            body: BodySource::new(source.reader(), 0),
            offset: 0,
            sent: 0,
            min_chunk: 0,
        }
    }

    /// Opens the source and reads its first chunk.
    pub(crate) async fn prepare(&mut self) -> Result<(), Error> {
        self.body.peek().await.map(|_| ())
    }

    /// Sends the blob in a session of the registry.
    pub(crate) async fn run(&mut self, call: &Call<'_>, session: Session) -> Result<(), Error> {
        self.min_chunk = session.min_chunk;
        let client = &self.repository.client;
        let mut open = OpenSession { client, call, location: session.location, is_finished: false };
        self.run_open(call, &mut open.location).await?;
        open.is_finished = true;
        Ok(())
    }

    async fn run_open(&mut self, call: &Call<'_>, location: &mut Url) -> Result<(), Error> {
        let client = &self.repository.client;
        let mut retries = client.options().job.retries();
        let (mut reauthorizations, mut furthest) = (0, self.offset);
        loop {
            let error = match self.send_rest(call, location).await {
                Ok(()) => return Ok(()),
                Err(UploadInterruption::Final(error)) => return Err(error),
                Err(UploadInterruption::Refreshed(error)) if reauthorizations >= MOST_REAUTHORIZATIONS => {
                    return Err(error);
                }
                Err(UploadInterruption::Refreshed(error)) => {
                    reauthorizations += 1;
                    error
                }
                Err(UploadInterruption::Broken(failure)) => {
                    let error = call.operation.error(failure.error.kind(), failure.error.reason());
                    client.wait(&call.operation, &mut retries, failure).await?;
                    error
                }
                Err(UploadInterruption::Lost(error)) => return self.lost(call, error).await,
            };
            match self.status(call, location).await {
                Ok(Some(offset)) => {
                    // Only a new furthest offset is progress. Otherwise a registry that loses bytes again and again would
                    // be retried without end.
                    if offset > furthest {
                        furthest = offset;
                        retries.progressed();
                        reauthorizations = 0;
                    }
                    self.offset = offset;
                    self.body = BodySource::new(self.source.reader_at(offset), offset);
                }
                Ok(None) => return self.lost(call, error).await,
                Err(unknown) if unknown.kind() == ErrorKind::Unavailable => {
                    return self.lost(call, error).await;
                }
                Err(unknown) => return Err(unknown),
            }
        }
    }

    /// Sends the rest of the blob, and the digest.
    async fn send_rest(&mut self, call: &Call<'_>, location: &mut Url) -> Result<(), UploadInterruption> {
        let size = self.descriptor.size;
        let piece = self.repository.client.options().chunk_size.unwrap_or(size).max(self.min_chunk).max(1);
        if self.offset == 0 && size <= piece {
            let url = self.finish_url(location);
            let answer = self.send(call, Method::PUT, url, size, None).await?;
            return self.check_stored(call, &answer);
        }
        while self.offset < size {
            let len = piece.min(size - self.offset);
            let end = self.offset + len;
            let range = format!("{}-{}", self.offset, end - 1);
            let answer = self.send(call, Method::PATCH, location.clone(), len, Some(&range)).await?;
            if answer.response.headers().contains_key(LOCATION) {
                *location = session(&answer, call)?.location;
            }
            // `Range` is not looked at: registries that have stored a chunk state wrong ranges (aws/containers-roadmap#2831,
            // regclient/regclient#627). The digest decides in the end.
            self.offset = end;
        }
        // If nothing was left to send, the source has not been verified yet.
        self.body.finish().await?;
        let mut request = Request::new(Method::PUT, self.finish_url(location));
        request.headers = octets();
        request.patience = STORING;
        let client = &self.repository.client;
        let elsewhere = !client.is_registry(call, &request.url).await?;
        let answer = client.attempt(call, &request).await?;
        let answer = self.judge(call, Answer { elsewhere, ..answer }, Sending::Repeatedly).await?;
        self.check_stored(call, &answer)
    }

    /// The URL that finishes the upload.
    fn finish_url(&self, location: &Url) -> Url {
        let mut url = location.clone();
        url.query_pairs_mut().append_pair("digest", &self.descriptor.digest.to_string());
        url
    }

    /// Sends the next `len` bytes.
    async fn send(
        &mut self,
        call: &Call<'_>,
        method: Method,
        url: Url,
        len: u64,
        range: Option<&str>,
    ) -> Result<Answer, UploadInterruption> {
        let client = &self.repository.client;
        let mut request = Request::new(method, url);
        request.headers = octets();
        request.patience = STORING;
        if let Some(range) = range {
            request.headers.insert(CONTENT_RANGE, header(range, &call.operation)?);
        }
        let elsewhere = !client.is_registry(call, &request.url).await?;
        if let Some(whole) = self.body.take_from_chunk(len).await? {
            request.body = whole;
            let answer = client.attempt(call, &request).await?;
            return self.judge(call, Answer { elsewhere, ..answer }, Sending::Repeatedly).await;
        }
        let used = client.authorization(call, &request.url).await?;
        let streamed = StreamedRequest { request, authorization: used.clone(), len, elsewhere };
        let answer = streamed.send(client.transport(), &mut self.body, &call.operation).await?;
        self.judge(call, answer, Sending::Once(used.as_ref())).await
    }

    /// The answer to a request if it is a success, else what to do about it.
    async fn judge(
        &mut self,
        call: &Call<'_>,
        answer: Answer,
        sending: Sending<'_>,
    ) -> Result<Answer, UploadInterruption> {
        let client = &self.repository.client;
        let (status, elsewhere) = (answer.status(), answer.elsewhere);
        if status.is_success() {
            return Ok(answer);
        }
        if is_transient(status) {
            return Err(UploadInterruption::Broken(client.transient_failure(answer, &call.operation).await));
        }
        let again = match sending {
            Sending::Once(used) if status == StatusCode::UNAUTHORIZED => {
                client.learn(call, used, &answer).await?
            }
            _ => false,
        };
        let (_, error) = client.read_refusal(answer, &call.operation).await;
        match status {
            StatusCode::UNAUTHORIZED if again => Err(UploadInterruption::Refreshed(error)),
            StatusCode::NOT_FOUND => Err(UploadInterruption::Lost(error)),
            StatusCode::PAYLOAD_TOO_LARGE => {
                let reason = format_args!(
                    "{}; the registry, or a proxy before it, takes only smaller requests: --chunk-size",
                    error.reason()
                );
                Err(UploadInterruption::Final(call.operation.error(error.kind(), reason)))
            }
            // A redirected upload may expire. A new one gets a new address.
            _ if elsewhere => Err(UploadInterruption::Lost(error)),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let error = call.operation.error(ErrorKind::Unavailable, error.reason());
                Err(UploadInterruption::Broken(error.into()))
            }
            _ => Err(UploadInterruption::Final(error)),
        }
    }

    fn check_stored(&self, call: &Call<'_>, answer: &Answer) -> Result<(), UploadInterruption> {
        let stored = answer.content_digest().map(str::parse);
        if stored.is_some_and(|stored| stored != Ok(self.descriptor.digest)) {
            let reason = "the registry says that it has stored a blob with another digest";
            return Err(UploadInterruption::Final(call.operation.error(ErrorKind::Corrupt, reason)));
        }
        if answer.status() == StatusCode::ACCEPTED {
            let reason = "the registry does not confirm that it has stored the blob";
            return Err(UploadInterruption::Final(call.operation.error(ErrorKind::Other, reason)));
        }
        Ok(())
    }

    /// How many bytes the registry has received, of those that were sent; `None` if it does not know the upload.
    async fn status(&mut self, call: &Call<'_>, location: &mut Url) -> Result<Option<u64>, Error> {
        let client = &self.repository.client;
        let answer = client.send(call, &Request::new(Method::GET, location.clone())).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let Some(received) = answer.header(RANGE).and_then(received) else { return Ok(None) };
        if answer.response.headers().contains_key(LOCATION) {
            *location = session(&answer, call)?.location;
        }
        self.sent = self.sent.max(self.body.position());
        Ok(Some(received.min(self.sent)))
    }

    /// Ends an upload that the registry no longer knows. It may have finished, with only the answer lost: then the
    /// registry has the blob. Else the error is retryable, and the copy sends the blob again from the start.
    async fn lost(&mut self, call: &Call<'_>, error: Error) -> Result<(), Error> {
        let trusted = self.repository.is_trusted_with(&self.descriptor.digest);
        if trusted && self.repository.find_blob(self.descriptor).await? == FoundBlob::Whole {
            return Ok(());
        }
        let reason = format_args!("the upload broke off and cannot be continued: {}", error.reason());
        Err(call.operation.error(ErrorKind::Unavailable, reason).with_cause(error))
    }
}

fn octets() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))])
}

/// How many bytes a registry has received by the `Range` in its answer.
///
/// `0-0` is one byte by the specification, and none in the first registries. It is read as none: sending a byte again is
/// refused, but skipping one would lose it.
fn received(range: &str) -> Option<u64> {
    let range = range.trim();
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    match (first.parse().ok()?, last.parse().ok()?) {
        (0u64, 0u64) => Some(0),
        (0, last) => last.checked_add(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_states_how_many_bytes_a_registry_has_received() {
        for (range, bytes) in [("0-0", 0), ("0-1", 2), ("bytes=0-9", 10), (" 0-4 ", 5)] {
            assert_eq!(received(range), Some(bytes), "{range}");
        }
        for wrong in ["", "0", "1-5", "0-", "-5", "0-x", "0-18446744073709551615", "bytes 0-5"] {
            assert_eq!(received(wrong), None, "{wrong}");
        }
    }
}
