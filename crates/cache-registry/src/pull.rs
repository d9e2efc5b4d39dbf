//! Reading blobs and manifests: their size, and their bytes from an offset on.
//!
//! A stream is neither verified nor bounded here. Its reader does both, also where a blob is read to see whether it is whole.

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{ByteStream, Error, ErrorKind, Info, Mismatch, Origin, Provider, Source};
use cache_model::Descriptor;
use futures_util::{StreamExt, future, stream};
use reqwest::header::{ACCEPT, CONTENT_RANGE, RANGE};
use reqwest::{Method, StatusCode};

use crate::call::Call;
use crate::error::Operation;
use crate::http::body::stream_body;
use crate::http::transport::{Answer, Request};
use crate::protocol::{accepted, header};
use crate::repository::RepositoryClient;

/// What a registry has of a blob.
#[derive(Debug)]
pub(crate) enum FoundBlob {
    /// All of it.
    Whole,
    /// Other bytes, or another number of them.
    Damaged,
    /// It says that it has the blob, and breaks off when it is read. Docker's registry does so where its storage has lost the
    /// blob. But the network may be the cause, too.
    Unreadable(Error),
    Absent,
}

impl RepositoryClient {
    /// The size of a blob or manifest in the registry.
    pub(crate) async fn size_of(&self, descriptor: &Descriptor) -> Result<u64, Error> {
        let call = self.call("look up", self.at(&descriptor.digest));
        let request = self.request(&call, Method::HEAD, descriptor).await?;
        let answer = self.client.send(&call, &request).await?;
        match answer.status() {
            // Some proxies drop the length of an answer without a body, or state that of the body.
            StatusCode::OK => {
                if let Some(size) = answer.length().filter(|size| *size > 0 || descriptor.size == 0) {
                    return Ok(size);
                }
            }
            StatusCode::NOT_FOUND => {
                return Err(self.client.read_refusal(answer, &call.operation).await.1);
            }
            // A registry may support GET only, and the links of object stores may be signed for it only. The refusal of a
            // HEAD has no words, that of a GET has.
            _ => {}
        }
        let request = Request { method: Method::GET, ..request };
        let answer = self.client.send(&call, &request).await?;
        match answer.length() {
            _ if answer.status() != StatusCode::OK => {
                Err(self.client.read_refusal(answer, &call.operation).await.1)
            }
            Some(size) => Ok(size),
            None => Err(call.operation.error(ErrorKind::Unsupported, "the registry does not state its size")),
        }
    }

    /// What the registry has of a source's blob: by its word and by the size, and if the options say so, by its content.
    pub(crate) async fn find_blob(&self, source: &Source<'_>) -> Result<FoundBlob, Error> {
        let descriptor = source.descriptor();
        let looked_up = match self.size_of(descriptor).await {
            Ok(size) if size != descriptor.size => return Ok(FoundBlob::Damaged),
            Ok(_) if !self.client.options().rehash => return Ok(FoundBlob::Whole),
            Ok(_) => {
                source.rehashing();
                match self.read_whole(descriptor).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        return Ok(FoundBlob::Unreadable(error));
                    }
                    read => read,
                }
            }
            Err(error) => Err(error),
        };
        match looked_up {
            Ok(()) => Ok(FoundBlob::Whole),
            Err(error) if error.cause_as::<Mismatch>().is_some() => Ok(FoundBlob::Damaged),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(FoundBlob::Absent),
            Err(error) => Err(error),
        }
    }

    /// Reads a blob to its end, so that it is verified.
    async fn read_whole(&self, descriptor: &Descriptor) -> Result<(), Error> {
        // The bytes do not go from a source to a destination, so they are no progress. A blob that cannot be read is sent
        // again, so one more try will do.
        let job = self.client.options().job.clone().with_progress(());
        let retry = job.retry.clone().with_retries(job.retry.retries.min(1));
        let job = job.with_retry(retry);
        let source = Source::new(self, descriptor.clone(), &job);
        let mut reader = source.reader();
        while reader.next_chunk().await?.is_some() {}
        Ok(())
    }

    /// The bytes of a blob or manifest from an offset on.
    pub(crate) async fn open_at(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let call = self.call("open", self.at(&descriptor.digest));
        let mut request = self.request(&call, Method::GET, descriptor).await?;
        // Manifests are small, and few registries serve ranges of them.
        let is_range = offset > 0 && !descriptor.media_type.is_manifest();
        if is_range {
            request.headers.insert(RANGE, header(&format!("bytes={offset}-"), &call.operation)?);
        }
        let answer = self.client.send(&call, &request).await?;
        let range = answer.header(CONTENT_RANGE).and_then(ContentRange::parse);
        match answer.status() {
            StatusCode::OK => match answer.length() {
                Some(size) if offset > size => Err(beyond(&call.operation, offset, size)),
                _ => Ok(skip(offset, self.stream(answer, &call), call.operation)),
            },
            StatusCode::PARTIAL_CONTENT if is_range => match range {
                Some(ContentRange { first: Some(first), .. }) if first == offset => {
                    Ok(self.stream(answer, &call))
                }
                _ => Err(call.operation.error(
                    ErrorKind::Corrupt,
                    format_args!("the registry answers with another range than that from byte {offset}"),
                )),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if is_range => {
                let size = match range {
                    Some(ContentRange { size: Some(size), .. }) => size,
                    _ => self.size_of(descriptor).await?,
                };
                match offset.cmp(&size) {
                    std::cmp::Ordering::Equal => Ok(Box::pin(stream::empty())),
                    std::cmp::Ordering::Greater => Err(beyond(&call.operation, offset, size)),
                    std::cmp::Ordering::Less => {
                        Err(self.client.read_refusal(answer, &call.operation).await.1)
                    }
                }
            }
            _ => Err(self.client.read_refusal(answer, &call.operation).await.1),
        }
    }

    fn stream(&self, answer: Answer, call: &Call<'_>) -> ByteStream {
        stream_body(answer.response, self.client.transport().silence().clone(), call.operation.clone())
    }

    async fn request(&self, call: &Call<'_>, method: Method, d: &Descriptor) -> Result<Request, Error> {
        let mut request = Request::new(method, self.client.url(call, &self.path_of(d)).await?);
        if d.media_type.is_manifest() {
            request.headers.insert(ACCEPT, header(&accepted(), &call.operation)?);
        }
        Ok(request)
    }
}

#[async_trait]
impl Provider for RepositoryClient {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.size_of(descriptor).await.map(Info::new)
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.open_at(descriptor, offset).await
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        // Only blobs can be mounted.
        (!descriptor.media_type.is_manifest())
            .then(|| Origin::new(self.repository().host(), self.repository().path()))
    }
}

fn beyond(operation: &Operation, offset: u64, size: u64) -> Error {
    operation.error(ErrorKind::Invalid, format_args!("offset {offset} is beyond its {size} bytes"))
}

/// Skips the beginning, which a server without support for ranges has sent.
fn skip(offset: u64, stream: ByteStream, operation: Operation) -> ByteStream {
    if offset == 0 {
        return stream;
    }
    let end = stream::once(future::ready(Ok(Bytes::new())));
    let mut left = offset;
    let mut ended = false;
    // The empty chunk at the end serves to detect a stream that ends too early.
    Box::pin(stream.map(|chunk| (chunk, false)).chain(end.map(|chunk| (chunk, true))).map(
        move |(chunk, is_end)| {
            let mut chunk = chunk?;
            ended |= is_end;
            let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            left -= skipped as u64;
            if ended && left > 0 {
                return Err(
                    operation.error(ErrorKind::Corrupt, format_args!("it ended before byte {offset}"))
                );
            }
            Ok(chunk.split_off(skipped))
        },
    ))
}

/// The content of `Content-Range` (RFC 9110, section 14.4).
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: Option<u64>,
    size: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
        Some(Self { first, size: size.trim().parse().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[test]
    fn a_content_range_states_the_first_byte_or_the_size_of_the_whole() {
        let parse = |text| ContentRange::parse(text).map(|range| (range.first, range.size));
        assert_eq!(parse("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(parse("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(parse("bytes */10"), Some((None, Some(10))));
        for wrong in ["", "bytes", "bytes 5-9", "items 5-9/10"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn exactly_the_bytes_before_the_offset_are_skipped() {
        let operation = Operation::new("open", "r/app", &"r.example/app".parse().unwrap());
        let from = |offset| {
            let chunks = ["ab", "cde", "", "f"].map(|text| Ok(Bytes::from(text)));
            let skipped = skip(offset, Box::pin(stream::iter(chunks)), operation.clone());
            skipped.try_collect::<Vec<Bytes>>()
        };
        for offset in 0..=6u64 {
            let read = from(offset).await.unwrap().concat();
            assert_eq!(read, b"abcdef"[usize::try_from(offset).unwrap()..], "{offset}");
        }
        assert!(from(7).await.is_err());
    }
}
