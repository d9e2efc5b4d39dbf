//! One upload: the bytes of a blob, in one request or in chunks, continued where it broke off.
//!
//! The last byte is sent only after the whole blob has been verified, and the digest with it or after it. So no other
//! content can become visible, whatever happens to the source or the connection.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Source};
use cache_model::Descriptor;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode, Url};

use crate::call::Call;
use crate::client::{Client, MOST_REAUTHORIZATIONS};
use crate::error::{RequestFailure, UploadInterruption};
use crate::error_response::is_transient;
use crate::http::pending_answer::PendingAnswer;
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
    /// The request under way, which goes on to its end if the upload is given up. The URL of an upload of docker-registry
    /// states how many bytes it has, so after a request that broke off it leads nowhere (`_state` in distribution).
    pending: Option<PendingAnswer>,
    is_finished: bool,
}

impl OpenSession<'_> {
    /// Sends a request whose body is in memory, as [`Client::attempt`] does.
    async fn attempt(&mut self, request: Request) -> Result<Answer, RequestFailure> {
        let pending = self.pending.insert(self.client.attempt_to_its_end(self.call, request)?);
        let answer = pending.answer().await;
        self.pending = None;
        answer
    }

    /// Goes on at the URL in an answer, if there is one.
    fn follow(&mut self, answer: &Answer) -> Result<(), Error> {
        if answer.response.headers().contains_key(LOCATION) {
            self.location = session(answer, self.call)?.location;
        }
        Ok(())
    }

    /// Breaks off the request under way, if there is one.
    fn break_off(&mut self) {
        if let Some(pending) = self.pending.take() {
            pending.break_off();
        }
    }
}

impl Drop for OpenSession<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.client.cancel_upload(self.call, self.location.clone(), self.pending.take());
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
        let (location, pending) = (session.location, None);
        let mut open = OpenSession { client, call, location, pending, is_finished: false };
        self.run_open(&mut open).await?;
        open.is_finished = true;
        Ok(())
    }

    async fn run_open(&mut self, session: &mut OpenSession<'_>) -> Result<(), Error> {
        let (client, call) = (session.client, session.call);
        let mut retries = client.options().job.retries();
        let (mut reauthorizations, mut furthest) = (0, self.offset);
        loop {
            let error = match self.send_rest(session).await {
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
                    session.break_off();
                    let error = call.operation.error(failure.error.kind(), failure.error.reason());
                    client.wait(&call.operation, &mut retries, failure).await?;
                    error
                }
                Err(UploadInterruption::Lost(error)) => return self.lost(call, error).await,
            };
            match self.status(session).await {
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
    async fn send_rest(&mut self, session: &mut OpenSession<'_>) -> Result<(), UploadInterruption> {
        let client = session.client;
        let size = self.descriptor.size;
        let piece = client.options().chunk_size.unwrap_or(size).max(self.min_chunk).max(1);
        let is_whole = self.offset == 0 && size <= piece;
        if is_whole && let Some(whole) = self.body.take_from_chunk(size).await? {
            return self.finish(session, whole).await;
        }
        while self.offset < size {
            let len = piece.min(size - self.offset);
            let end = self.offset + len;
            // A whole blob is sent as `docker push` does, without a length, so that its request can end early.
            let range = (!is_whole).then(|| format!("{}-{}", self.offset, end - 1));
            let answer = self.send(session, len, range.as_deref()).await?;
            session.follow(&answer)?;
            // `Range` is not looked at: registries that have stored a chunk state wrong ranges (aws/containers-roadmap#2831,
            // regclient/regclient#627). The digest decides in the end.
            self.offset = end;
        }
        // If nothing was left to send, the source has not been verified yet.
        self.body.finish().await?;
        self.finish(session, Bytes::new()).await
    }

    /// Sends the last bytes, and the digest.
    async fn finish(&mut self, session: &mut OpenSession<'_>, last: Bytes) -> Result<(), UploadInterruption> {
        let mut url = session.location.clone();
        url.query_pairs_mut().append_pair("digest", &self.descriptor.digest.to_string());
        let request = Request { body: last, ..upload_request(Method::PUT, url) };
        let answer = self.send_bytes(session, request).await?;
        self.check_stored(session.call, &answer)
    }

    /// Sends a request whose body is in memory.
    async fn send_bytes(
        &mut self,
        session: &mut OpenSession<'_>,
        request: Request,
    ) -> Result<Answer, UploadInterruption> {
        let call = session.call;
        let elsewhere = !session.client.is_registry(call, &request.url).await?;
        let answer = session.attempt(request).await?;
        self.judge(call, Answer { elsewhere, ..answer }, Sending::Repeatedly).await
    }

    /// Sends the next `len` bytes. A request with a range states its length, as the specification of OCI requires.
    async fn send(
        &mut self,
        session: &mut OpenSession<'_>,
        len: u64,
        range: Option<&str>,
    ) -> Result<Answer, UploadInterruption> {
        let (client, call) = (session.client, session.call);
        let mut request = upload_request(Method::PATCH, session.location.clone());
        if let Some(range) = range {
            request.headers.insert(CONTENT_RANGE, header(range, &call.operation)?);
        }
        if let Some(bytes) = self.body.take_from_chunk(len).await? {
            return self.send_bytes(session, Request { body: bytes, ..request }).await;
        }
        let elsewhere = !client.is_registry(call, &request.url).await?;
        let used = client.authorization(call, &request.url).await?;
        let (authorization, states_length) = (used.clone(), range.is_some());
        let streamed = StreamedRequest { request, authorization, len, states_length, elsewhere };
        let (body, pending) = (&mut self.body, &mut session.pending);
        let answer = streamed.send(client.transport(), body, &call.operation, pending).await?;
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
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::LENGTH_REQUIRED => {
                let takes = if status == StatusCode::LENGTH_REQUIRED {
                    "takes only requests that state their length"
                } else {
                    "takes only smaller requests"
                };
                let reason = format_args!(
                    "{}; the registry, or a proxy before it, {takes}: --chunk-size",
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
    async fn status(&mut self, session: &mut OpenSession<'_>) -> Result<Option<u64>, Error> {
        let request = Request::new(Method::GET, session.location.clone());
        let answer = session.client.send(session.call, &request).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let Some(received) = answer.header(RANGE).and_then(received) else { return Ok(None) };
        session.follow(&answer)?;
        self.sent = self.sent.max(self.body.position());
        Ok(Some(received.min(self.sent)))
    }

    /// Ends an upload that the registry no longer knows. It may have finished, with only the answer lost: then the
    /// registry has the blob. Else the error is retryable, and the copy sends the blob again from the start.
    async fn lost(&mut self, call: &Call<'_>, error: Error) -> Result<(), Error> {
        let trusted = self.repository.is_trusted_with(&self.descriptor.digest);
        if trusted && matches!(self.repository.find_blob(self.source).await?, FoundBlob::Whole) {
            return Ok(());
        }
        let reason = format_args!("the upload broke off and cannot be continued: {}", error.reason());
        Err(call.operation.error(ErrorKind::Unavailable, reason).with_cause(error))
    }
}

/// A request with bytes of a blob.
fn upload_request(method: Method, url: Url) -> Request {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))];
    Request { headers: HeaderMap::from_iter(headers), patience_factor: STORING, ..Request::new(method, url) }
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
