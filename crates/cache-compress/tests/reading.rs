//! Reading layers: each compression, and content that is not what it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};

use bytes::Bytes;
use cache_compress::{
    DEFAULT_MAX_EXPANSION, DecodeFailure, LayerContent, Undecodable, read_layer, read_layer_with,
};
use cache_ingest::{Error, ErrorKind, Hasher, Job, MemoryStore, Source};
use cache_model::{Algorithm, Compression, Descriptor, Digest, MediaType};

/// Bytes that begin as a tar does.
fn tar(len: usize) -> Vec<u8> {
    let mut tar: Vec<u8> = (0..=250).cycle().take(len).collect();
    tar.splice(257..262, *b"ustar");
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

/// Reads a blob with a media type that is not its own.
async fn read(blob: impl Into<Bytes>, algorithms: &[Algorithm], limit: u64) -> LayerContent {
    let (store, blob) = (MemoryStore::new(), blob.into());
    let layer = store.insert(MediaType::new("text/plain"), blob.clone());
    let read = read_layer(&Source::new(&store, layer, &Job::without_retries()), algorithms, limit).await;
    assert_eq!(read.bytes, blob.len() as u64);
    read.content.unwrap()
}

#[tokio::test]
async fn the_diff_id_is_that_of_the_tar_inside_whatever_the_compression() {
    let tar = tar(300_000);
    let zstd = zstd::encode_all(&*tar, 1).unwrap();
    for (blob, compression) in
        [(gzip(&tar), Compression::Gzip), (zstd, Compression::Zstd), (tar.clone(), Compression::Uncompressed)]
    {
        let content = read(blob, &[Algorithm::Sha512, Algorithm::Sha256], DEFAULT_MAX_EXPANSION).await;
        assert_eq!(content.compression, Some(compression));
        let mut diff_ids = content.diff_ids.unwrap();
        diff_ids.sort_by_key(|digest| digest.to_string());
        assert_eq!(diff_ids, [sha256(&tar), Hasher::digest(Algorithm::Sha512, &tar)]);
    }
}

#[tokio::test]
async fn content_of_no_known_kind_has_no_compression() {
    for content in ["", "a layer"] {
        let read = read(content, &[Algorithm::Sha256], DEFAULT_MAX_EXPANSION).await;
        assert_eq!((read.compression, read.diff_ids), (None, Ok(vec![sha256(content.as_bytes())])));
    }
}

#[tokio::test]
async fn content_that_cannot_be_decompressed_says_why() {
    let (tar, whole) = (tar(300_000), gzip(&tar(300_000)));
    let trailing = [&*whole, b"more"].concat();
    let cut = whole[..whole.len() - 9].to_vec();
    let mut damaged = whole.clone();
    damaged.iter_mut().rev().take(8).for_each(|byte| *byte ^= 1);
    let failure = async |blob: Vec<u8>, limit| read(blob, &[Algorithm::Sha256], limit).await.diff_ids;
    let undecodable = |reason| Err(DecodeFailure::Undecodable(reason));
    assert_eq!(failure(cut, u64::MAX).await, undecodable(Undecodable::Truncated));
    assert_eq!(failure(trailing, u64::MAX).await, undecodable(Undecodable::TrailingData));
    let Err(DecodeFailure::Undecodable(Undecodable::Invalid { reason })) = failure(damaged, u64::MAX).await
    else {
        unreachable!("its checksum is wrong")
    };
    assert!(!reason.is_empty());
    let size = tar.len() as u64;
    assert_eq!(failure(whole.clone(), size - 1).await, Err(DecodeFailure::Limit { limit: size - 1 }));
    assert_eq!(failure(whole, size).await, Ok(vec![sha256(&tar)]));
}

/// What a consumer that reads `len` bytes gets, beside the content.
async fn consume(blob: Vec<u8>, len: u64) -> (LayerContent, Result<Vec<u8>, DecodeFailure>) {
    let store = MemoryStore::new();
    let layer = store.insert(MediaType::OCI_LAYER_GZIP, blob);
    let source = Source::new(&store, layer, &Job::without_retries());
    let (read, consumed) =
        read_layer_with(&source, &[Algorithm::Sha256], DEFAULT_MAX_EXPANSION, move |tar| {
            let mut bytes = Vec::new();
            tar.take(len).read_to_end(&mut bytes).map(|_| bytes).map_err(|error| error.downcast().unwrap())
        })
        .await;
    (read.content.unwrap(), consumed.unwrap())
}

#[tokio::test]
async fn a_consumer_gets_the_tar_and_the_diff_id_is_that_of_all_of_it() {
    let tar = tar(300_000);
    for blob in [gzip(&tar), zstd::encode_all(&*tar, 1).unwrap(), tar.clone()] {
        for len in [0, 1, 1000, 300_000] {
            let (content, consumed) = consume(blob.clone(), len as u64).await;
            assert_eq!(consumed, Ok(tar[..len].to_vec()));
            assert_eq!(content.diff_ids, Ok(vec![sha256(&tar)]));
        }
    }
}

#[tokio::test]
async fn a_consumer_of_a_truncated_layer_fails_as_the_layer_does() {
    let whole = gzip(&tar(300_000));
    let (content, consumed) = consume(whole[..whole.len() / 2].to_vec(), u64::MAX).await;
    let truncated = DecodeFailure::Undecodable(Undecodable::Truncated);
    assert_eq!((consumed, content.diff_ids), (Err(truncated.clone()), Err(truncated)));
}

#[tokio::test]
async fn what_a_consumer_made_of_a_blob_of_the_wrong_size_is_not_given() {
    let store = MemoryStore::new();
    let mut layer = store.insert(MediaType::OCI_LAYER_TAR, "a layer");
    layer.size += 1;
    let source = Source::new(&store, layer, &Job::without_retries());
    let (read, consumed) = read_layer_with(&source, &[], DEFAULT_MAX_EXPANSION, |tar| {
        let mut text = String::new();
        tar.read_to_string(&mut text).map(|_| text).unwrap()
    })
    .await;
    assert_eq!((read.content.unwrap_err().kind(), consumed), (ErrorKind::Corrupt, None));
}

#[test]
fn a_failure_is_one_line() {
    for (failure, line) in [
        (DecodeFailure::Limit { limit: 4096 }, "it has more than 4,096 bytes"),
        (DecodeFailure::Undecodable(Undecodable::Truncated), "it ends early"),
        (DecodeFailure::Undecodable(Undecodable::TrailingData), "something follows its end"),
        (DecodeFailure::Undecodable(Undecodable::NotCompressed), "it does not begin as such content does"),
    ] {
        assert_eq!(failure.to_string(), line);
    }
}

/// Why a blob of the text `a layer` cannot be read from a store that has `stored`.
async fn error(stored: &'static str) -> Error {
    let store = MemoryStore::new();
    let layer = Descriptor::of(MediaType::OCI_LAYER_TAR, "a layer");
    store.insert(MediaType::OCI_LAYER_TAR, stored);
    let source = Source::new(&store, layer, &Job::without_retries());
    read_layer(&source, &[Algorithm::Sha256], DEFAULT_MAX_EXPANSION).await.content.unwrap_err()
}

#[tokio::test]
async fn a_blob_that_is_missing_is_an_error_of_the_store() {
    assert_eq!(error("another").await.kind(), ErrorKind::NotFound);
}

#[test]
fn outside_of_a_runtime_nothing_is_read() {
    let mut reading = Box::pin(error("a layer"));
    let waker = std::task::Waker::noop();
    let polled = reading.as_mut().poll(&mut std::task::Context::from_waker(waker));
    let std::task::Poll::Ready(error) = polled else { unreachable!("it does not wait") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Tokio runtime"), "{error}");
}
