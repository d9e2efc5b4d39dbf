//! The bodies of answers: read whole up to a limit, or as a stream that must not stall.
//!
//! Content is not verified here but by the reader of a stream.

use std::time::Duration;

use bytes::Bytes;
use cache_ingest::{ByteStream, Error, ErrorKind};
use futures_util::{StreamExt, stream};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout};

use crate::error::{Operation, RequestFailure};
use crate::http::silence::SilenceWatch;

/// How many bytes of a body must arrive within the time for a stall.
const LEAST: usize = 16 * 1024;
/// How many times the time for a stall a body may take that is read whole.
const PATIENCE: u32 = 10;
/// How much of the body of an error is read, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// Watches over the body of a stream.
struct BodyWatch {
    url: Url,
    silence: SilenceWatch,
    operation: Operation,
}

/// A whole body; [`ErrorKind::TooLarge`] if its length, stated or real, is above `limit` bytes.
pub(crate) async fn read_all(
    response: Response,
    limit: u64,
    silence: &SilenceWatch,
    operation: &Operation,
) -> Result<Bytes, RequestFailure> {
    let too_large = |_| {
        let reason = format_args!("the answer is larger than the {limit} bytes allowed here");
        operation.error(ErrorKind::TooLarge, reason)
    };
    read_up_to(limit, response, silence, operation, too_large).await
}

/// A whole manifest or list, as [`read_all`] reads it, within the limit of the job for metadata.
pub(crate) async fn read_metadata(
    response: Response,
    limit: u64,
    silence: &SilenceWatch,
    operation: &Operation,
) -> Result<Bytes, RequestFailure> {
    read_up_to(limit, response, silence, operation, |size| operation.above_metadata_limit(size, limit)).await
}

async fn read_up_to(
    limit: u64,
    response: Response,
    silence: &SilenceWatch,
    operation: &Operation,
    too_large: impl Fn(Option<u64>) -> Error,
) -> Result<Bytes, RequestFailure> {
    if let Some(length) = response.content_length().filter(|length| *length > limit) {
        return Err(too_large(Some(length)).into());
    }
    let patience = silence.limit().saturating_mul(PATIENCE);
    let whole = async {
        let mut body = Vec::new();
        let mut chunks = stream_body(response, silence.clone(), operation.clone());
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() as u64 > limit {
                return Err(too_large(None).into());
            }
        }
        Ok(body.into())
    };
    timeout(patience, whole).await.unwrap_or_else(|_| {
        let reason = format_args!("the answer is not whole after {patience:?}");
        Err(operation.error(ErrorKind::Unavailable, reason).into())
    })
}

/// The beginning of a body that describes an error, as far as it can be read in time.
pub(crate) async fn read_error(response: Response, silence: &SilenceWatch, operation: &Operation) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = stream_body(response, silence.clone(), operation.clone());
    let beginning = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_LIMIT {
                return;
            }
        }
    };
    // After a timeout, the part that has arrived is used.
    let _ = timeout(silence.limit(), beginning).await;
    body.truncate(ERROR_LIMIT);
    body
}

/// A body as a stream, which fails when it breaks off and when it gives less than 16 KiB in the time for a stall.
///
/// Only the time of waiting for bytes counts, so a slow reader is no stall.
pub(crate) fn stream_body(response: Response, silence: SilenceWatch, operation: Operation) -> ByteStream {
    let watch = BodyWatch { url: response.url().clone(), silence, operation };
    let body = Box::pin(response.bytes_stream());
    let state = Some((body, Duration::ZERO, 0usize, watch));
    Box::pin(stream::unfold(state, move |state| async move {
        let (mut body, waited, seen, watch) = state?;
        let BodyWatch { url, silence, operation } = &watch;
        let (began, stall) = (Instant::now(), silence.limit());
        match silence.bound(stall.saturating_sub(waited), url, operation, body.next()).await {
            Some(None) => None,
            Some(Some(Ok(chunk))) => {
                silence.heard(url);
                let seen = seen.saturating_add(chunk.len());
                let (waited, seen) =
                    if seen >= LEAST { (Duration::ZERO, 0) } else { (waited + began.elapsed(), seen) };
                Some((Ok(chunk), Some((body, waited, seen, watch))))
            }
            Some(Some(Err(cause))) => Some((Err(operation.connection_failed(cause)), None)),
            None => {
                let reason = format_args!("the body stalls: less than {LEAST} bytes came within {stall:?}");
                Some((Err(operation.error(ErrorKind::Unavailable, reason)), None))
            }
        }
    }))
}
