//! A request whose body is sent while its source is read: from the reader through a short queue into the connection.
//!
//! If the sender of the queue is dropped, a body without a stated length ends there in good order, and one with a length
//! breaks off. So an answer that arrives before the whole body is sent keeps the sender until it has been read.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, SourceReader};
use futures_util::{Stream, stream};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use reqwest::{Body, Url};
use tokio::sync::mpsc;

use crate::error::{Operation, RequestFailure, UploadInterruption};
use crate::http::pending_answer::PendingAnswer;
use crate::http::silence::SilenceWatch;
use crate::http::transport::{Answer, BodySender, Request, Transport};

/// The largest piece that is handed to a connection, in bytes. Small pieces tell a slow connection from a dead one.
const PIECE: usize = 128 * 1024;
/// How many pieces wait for the connection.
const QUEUED: usize = 4;

/// The reader of a blob, with a look at its next chunk.
pub(crate) struct BodySource<'r> {
    reader: SourceReader<'r>,
    next: Option<Bytes>,
    /// The offset in the blob, in bytes, of the first byte that has not been taken.
    position: u64,
}

impl<'r> BodySource<'r> {
    /// `offset` is that of the reader in its blob, in bytes.
    pub(crate) fn new(reader: SourceReader<'r>, offset: u64) -> Self {
        Self { reader, next: None, position: offset }
    }

    /// The offset in the blob, in bytes, of the first byte that has not been taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next chunk, which is not taken; `None` at the end of a verified blob.
    pub(crate) async fn peek(&mut self) -> Result<Option<&mut Bytes>, Error> {
        if self.next.as_ref().is_none_or(Bytes::is_empty) {
            self.next = self.reader.next_chunk().await?;
        }
        Ok(self.next.as_mut())
    }

    /// Takes `len` bytes, if the next chunk has as many.
    pub(crate) async fn take_from_chunk(&mut self, len: u64) -> Result<Option<Bytes>, Error> {
        if len == 0 {
            self.finish().await?;
            return Ok(Some(Bytes::new()));
        }
        let Ok(len) = usize::try_from(len) else { return Ok(None) };
        let next = self.peek().await?.filter(|next| next.len() >= len);
        let taken = next.map(|next| next.split_to(len));
        Ok(taken.inspect(|taken| self.advance(taken)))
    }

    /// Reads to the end, so that the blob is verified.
    pub(crate) async fn finish(&mut self) -> Result<(), Error> {
        while let Some(next) = self.peek().await? {
            next.clear();
        }
        Ok(())
    }

    /// Takes the next piece of at most `most` bytes; `None` at the end.
    async fn take_piece(&mut self, most: u64) -> Result<Option<Bytes>, Error> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(PIECE);
        let taken = self.peek().await?.map(|next| next.split_to(most.min(next.len())));
        Ok(taken.inspect(|taken| self.advance(taken)))
    }

    fn advance(&mut self, taken: &Bytes) {
        self.position = self.position.saturating_add(taken.len() as u64);
    }
}

/// A request whose body comes from a [`BodySource`]. It can be sent once only.
pub(crate) struct StreamedRequest {
    pub(crate) request: Request,
    pub(crate) authorization: Option<HeaderValue>,
    /// The length of the body, in bytes.
    pub(crate) len: u64,
    /// Whether the registry is given the length. Else the body is sent in the chunks of HTTP/1.1 or the frames of HTTP/2.
    pub(crate) states_length: bool,
    /// Whether it goes to another host than the registry.
    pub(crate) elsewhere: bool,
}

impl StreamedRequest {
    /// Sends the request, and the next bytes of the source as its body. If this is dropped, or if the source fails, the
    /// body ends, and `pending` waits for the answer.
    pub(crate) async fn send(
        self,
        transport: &Transport,
        source: &mut BodySource<'_>,
        operation: &Operation,
        pending: &mut Option<PendingAnswer>,
    ) -> Result<Answer, UploadInterruption> {
        let Self { request, authorization, len, states_length, elsewhere } = self;
        let (sender, receiver) = mpsc::channel(QUEUED);
        let mut builder = transport
            .client(&request.url)?
            .request(request.method, request.url.clone())
            .headers(request.headers)
            .body(Body::wrap_stream(body(receiver, len, states_length)));
        if states_length {
            builder = builder.header(CONTENT_LENGTH, len);
        }
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        let (silence, url, factor) = (transport.silence(), request.url, request.patience_factor);
        let (asked, failing) = (url.clone(), operation.clone());
        let request = async move {
            let response = builder.send().await.map_err(|cause| failing.connection_failed(cause))?;
            Ok(Answer { response, url: asked, elsewhere, _body: None })
        };
        let pending_answer = pending.insert(PendingAnswer::spawn(operation, request)?);
        let filling = BodyQueue { sender: &sender, silence, url: &url, operation };
        let filled = tokio::select! {
            // A registry may answer before the whole body is sent, for example to refuse it.
            answer = pending_answer.answer() => Err(answer),
            filled = filling.fill(len, source) => Ok(filled),
        };
        let answer = match filled {
            Err(answer) => answer,
            Ok(filled) => {
                filled?;
                let patience = silence.limit().saturating_mul(factor);
                let answer = silence.bound(patience, &url, operation, pending_answer.answer()).await;
                answer.unwrap_or_else(|| Err(operation.no_answer(patience).into()))
            }
        };
        let answer = answer?;
        silence.heard(&url);
        if answer.response.status().is_redirection() {
            let error = operation.error(ErrorKind::Unsupported, "the registry redirects an upload");
            return Err(UploadInterruption::Final(error));
        }
        Ok(Answer { _body: Some(sender), ..answer })
    }
}

/// The queue into a connection.
struct BodyQueue<'q> {
    sender: &'q BodySender,
    silence: &'q SilenceWatch,
    url: &'q Url,
    operation: &'q Operation,
}

impl BodyQueue<'_> {
    /// Moves `len` bytes from the source into the queue.
    async fn fill(&self, len: u64, source: &mut BodySource<'_>) -> Result<(), UploadInterruption> {
        let Self { sender, silence, url, operation } = self;
        let mut left = len;
        while left > 0 {
            let Some(piece) = source.take_piece(left).await? else {
                let error = operation.error(ErrorKind::Invalid, "the source ended early");
                return Err(UploadInterruption::Final(error));
            };
            left = left.saturating_sub(piece.len() as u64);
            match silence.bound(silence.limit(), url, operation, sender.send(piece)).await {
                Some(Ok(())) => {}
                // The connection is closed, and the request's own error will say why.
                Some(Err(_)) => return Ok(()),
                None => {
                    let reason = format_args!("the registry has taken no bytes for {:?}", silence.limit());
                    return Err(RequestFailure::from(operation.error(ErrorKind::Unavailable, reason)).into());
                }
            }
        }
        Ok(())
    }
}

/// The queue as a body of `len` bytes. If the sender is dropped before, it ends, or fails if the length was stated.
fn body(
    receiver: mpsc::Receiver<Bytes>,
    len: u64,
    states_length: bool,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some((receiver, len)), move |state| async move {
        let (mut receiver, left) = state.filter(|(_, left)| *left > 0)?;
        // What is queued in a body that was given up need not be sent.
        let piece = if receiver.is_closed() { None } else { receiver.recv().await };
        match piece {
            Some(piece) => {
                let left = left.saturating_sub(piece.len() as u64);
                Some((Ok(piece), Some((receiver, left))))
            }
            None if states_length => Some((Err(std::io::Error::other("the body was given up")), None)),
            None => None,
        }
    })
}
