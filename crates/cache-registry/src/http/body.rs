//! The bodies of answers: read whole up to a limit, or as a stream that must not stall.
//!
//! Nothing here verifies content; the reader of a stream does.

use std::time::Duration;

use bytes::Bytes;
use cache_ingest::{ByteStream, Error, ErrorKind};
use futures_util::{StreamExt, stream};
use reqwest::Response;
use tokio::time::{Instant, timeout};

use crate::error::{About, Failure};

/// What a body has to give within the time for a stall, in bytes.
const LEAST: usize = 16 * 1024;
/// In how many times the time for a stall a body that is read whole has to be there.
const PATIENCE: u32 = 10;
/// The largest body of an error that is looked into, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// A whole body; [`ErrorKind::TooLarge`] when it is said to have, or has, more than `limit` bytes.
pub(crate) async fn read_all(
    response: Response,
    limit: u64,
    stall: Duration,
    about: &About,
) -> Result<Bytes, Failure> {
    let too_large = |_| {
        let reason = format_args!("the answer is larger than the {limit} bytes allowed here");
        about.error(ErrorKind::TooLarge, reason)
    };
    read_up_to(limit, response, stall, about, too_large).await
}

/// A whole manifest or list, as [`read_all`] reads it, within the limit of the job for metadata.
pub(crate) async fn read_metadata(
    response: Response,
    limit: u64,
    stall: Duration,
    about: &About,
) -> Result<Bytes, Failure> {
    read_up_to(limit, response, stall, about, |size| about.above_metadata_limit(size, limit)).await
}

async fn read_up_to(
    limit: u64,
    response: Response,
    stall: Duration,
    about: &About,
    too_large: impl Fn(Option<u64>) -> Error,
) -> Result<Bytes, Failure> {
    if let Some(length) = response.content_length().filter(|length| *length > limit) {
        return Err(too_large(Some(length)).into());
    }
    let patience = stall.saturating_mul(PATIENCE);
    let whole = async {
        let mut body = Vec::new();
        let mut chunks = stream_body(response, stall, about.clone());
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
        Err(about.error(ErrorKind::Unavailable, reason).into())
    })
}

/// The beginning of a body that tells of an error; what cannot be read of it, or not soon, does not matter.
pub(crate) async fn read_error(response: Response, stall: Duration, about: &About) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = stream_body(response, stall, about.clone());
    let beginning = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_LIMIT {
                return;
            }
        }
    };
    // What had come when the time was over is shown.
    let _ = timeout(stall, beginning).await;
    body.truncate(ERROR_LIMIT);
    body
}

/// A body as a stream, which fails when it breaks off and when it gives less than 16 KiB in the time for a stall.
///
/// Only the time in which bytes are waited for counts: whoever reads may be as slow as it likes.
pub(crate) fn stream_body(response: Response, stall: Duration, about: About) -> ByteStream {
    let body = Box::pin(response.bytes_stream());
    let state = Some((body, Duration::ZERO, 0usize, about));
    Box::pin(stream::unfold(state, move |state| async move {
        let (mut body, waited, seen, about) = state?;
        let began = Instant::now();
        match timeout(stall.saturating_sub(waited), body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => {
                let seen = seen.saturating_add(chunk.len());
                let (waited, seen) =
                    if seen >= LEAST { (Duration::ZERO, 0) } else { (waited + began.elapsed(), seen) };
                Some((Ok(chunk), Some((body, waited, seen, about))))
            }
            Ok(Some(Err(cause))) => Some((Err(about.broken(cause)), None)),
            Err(_) => {
                let reason = format_args!("the body stalls: less than {LEAST} bytes came within {stall:?}");
                Some((Err(about.error(ErrorKind::Unavailable, reason)), None))
            }
        }
    }))
}
