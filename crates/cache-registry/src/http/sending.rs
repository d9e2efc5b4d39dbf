//! A body that is sent while its source is read: from the reader through a short queue into the connection.
//!
//! The queue is a body that never ends early: when whoever fills it gives up, the request breaks off. That is why an
//! answer that comes before all is sent keeps the queue until it has been read.

use std::time::Duration;

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, SourceReader};
use futures_util::{Stream, stream};
use reqwest::Body;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::{About, Failure, Stop};
use crate::http::transport::{Answer, Request, STORING, Sending, Transport};

/// The largest piece that is handed to a connection, in bytes, so that a slow one is told from a dead one.
const PIECE: usize = 128 * 1024;
/// How many pieces wait for a connection.
const AHEAD: usize = 4;

/// A source's reader, which can be looked into.
pub(crate) struct Reading<'r> {
    reader: SourceReader<'r>,
    next: Option<Bytes>,
}

impl<'r> Reading<'r> {
    pub(crate) fn new(reader: SourceReader<'r>) -> Self {
        Self { reader, next: None }
    }

    /// What comes next; `None` at the end of a verified blob.
    pub(crate) async fn look(&mut self) -> Result<Option<&mut Bytes>, Error> {
        if self.next.as_ref().is_none_or(Bytes::is_empty) {
            self.next = self.reader.next_chunk().await?;
        }
        Ok(self.next.as_mut())
    }

    /// The next `len` bytes, where they have come already.
    pub(crate) async fn take_whole(&mut self, len: u64) -> Result<Option<Bytes>, Error> {
        if len == 0 {
            self.end().await?;
            return Ok(Some(Bytes::new()));
        }
        let Ok(len) = usize::try_from(len) else { return Ok(None) };
        let next = self.look().await?.filter(|next| next.len() >= len);
        Ok(next.map(|next| next.split_to(len)))
    }

    /// Reads to the end, which is here.
    pub(crate) async fn end(&mut self) -> Result<(), Error> {
        while let Some(next) = self.look().await? {
            next.clear();
        }
        Ok(())
    }

    /// The next bytes, at most so many; `None` at the end.
    async fn take(&mut self, most: u64) -> Result<Option<Bytes>, Error> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(PIECE);
        Ok(self.look().await?.map(|next| next.split_to(most.min(next.len()))))
    }
}

/// Sends a request whose body is the next `len` bytes of a source. It is sent once, to the registry or `elsewhere`.
pub(crate) async fn send(
    transport: &Transport,
    (request, elsewhere): (Request, bool),
    authorization: Option<HeaderValue>,
    len: u64,
    reading: &mut Reading<'_>,
    about: &About,
) -> Result<Answer, Stop> {
    let (queue, body) = mpsc::channel(AHEAD);
    let mut builder = transport
        .client(&request.url)?
        .request(request.method, request.url.clone())
        .headers(request.headers)
        .header(CONTENT_LENGTH, len)
        .body(Body::wrap_stream(exactly(body, len)));
    if let Some(authorization) = authorization {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    let mut answered = std::pin::pin!(builder.send());
    let filled = tokio::select! {
        // A registry may answer before all is sent, as when it refuses.
        answer = &mut answered => Err(answer),
        filled = fill(&queue, len, reading, transport.stall(), about) => Ok(filled),
    };
    let answer = match filled {
        Err(answer) => answer,
        Ok(filled) => {
            filled?;
            let patience = transport.stall().saturating_mul(STORING);
            match timeout(patience, answered).await {
                Ok(answer) => answer,
                Err(_) => return Err(Failure::from(about.silence(patience)).into()),
            }
        }
    };
    let response = answer.map_err(|cause| Failure::from(about.broken(cause)))?;
    if response.status().is_redirection() {
        return Err(Stop::Final(about.error(ErrorKind::Unsupported, "the registry redirects an upload")));
    }
    Ok(Answer { response, url: request.url, elsewhere, _sending: Some(queue) })
}

/// Reads `len` bytes into the queue.
async fn fill(
    queue: &Sending,
    len: u64,
    reading: &mut Reading<'_>,
    stall: Duration,
    about: &About,
) -> Result<(), Stop> {
    let mut left = len;
    while left > 0 {
        let Some(piece) = reading.take(left).await? else {
            return Err(Stop::Final(about.error(ErrorKind::Invalid, "the source gives less than it has to")));
        };
        left = left.saturating_sub(piece.len() as u64);
        match timeout(stall, queue.send(piece)).await {
            Ok(Ok(())) => {}
            // The connection is gone, and the request will say why.
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                let reason = format_args!("the registry takes no more bytes for {stall:?}");
                return Err(Failure::from(about.error(ErrorKind::Unavailable, reason)).into());
            }
        }
    }
    Ok(())
}

/// The queue as a body that fails where it ends early.
fn exactly(body: mpsc::Receiver<Bytes>, len: u64) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some((body, len)), |state| async {
        let (mut body, left) = state.filter(|(_, left)| *left > 0)?;
        match body.recv().await {
            Some(piece) => {
                let left = left.saturating_sub(piece.len() as u64);
                Some((Ok(piece), Some((body, left))))
            }
            None => Some((Err(std::io::Error::other("the body was given up")), None)),
        }
    })
}
