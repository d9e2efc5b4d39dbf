//! The verifying reader: the exact bytes or an error, whatever the provider does.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Hasher, Job, Mismatch, ProviderExt, RetryBudget, Source, Verifier};
use cache_model::{Algorithm, Descriptor, MediaType};
use proptest::prelude::*;

use crate::faults::{Fault, Faulty, describe, mismatch, noise, options};

/// Reads to the end or to the first error, and keeps what was handed out.
async fn drain(source: &Source<'_>) -> (Vec<u8>, Result<(), Error>) {
    let mut reader = source.reader();
    let mut bytes = Vec::new();
    loop {
        match reader.next_chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => {
                assert!(reader.next_chunk().await.unwrap().is_none(), "the end stays the end");
                return (bytes, Ok(()));
            }
            Err(error) => {
                assert!(reader.next_chunk().await.is_err(), "an error is never followed by a clean end");
                return (bytes, Err(error));
            }
        }
    }
}

/// Serves `served` for a descriptor of `wanted`, and gives the mismatch and its text.
async fn check(wanted: &[u8], served: &[u8], chunk: usize) -> (Mismatch, String) {
    let provider = Faulty::new(served.to_vec(), []).in_chunks_of(chunk);
    let source = Source::new(&provider, describe(wanted), &Job::default());
    let (bytes, result) = drain(&source).await;
    let error = result.unwrap_err();
    assert!(bytes.len() < wanted.len() || wanted.is_empty(), "never as many bytes as the blob has");
    (mismatch(&error).clone(), error.to_string())
}

#[tokio::test]
async fn short_long_and_different_are_told_apart_in_any_chunking() {
    for chunk in [1, 3, 5, 6, 100] {
        let (short, text) = check(b"blobs", b"blo", chunk).await;
        assert_eq!(short, Mismatch::TooShort { received: 3, expected: 5 });
        assert!(text.ends_with("the blob is too short: it ended after 3 of 5 bytes"), "{text}");
        let (long, text) = check(b"blobs", b"blobs and more", chunk).await;
        assert_eq!(long, Mismatch::TooLong { expected: 5 });
        assert!(
            text.ends_with("the blob is too long: it goes on after the 5 bytes of its descriptor"),
            "{text}"
        );
        // A wrong beginning that is also too long is too long.
        assert_eq!(check(b"blobs", b"other and more", chunk).await.0, Mismatch::TooLong { expected: 5 });
        let (different, text) = check(b"blobs", b"other", chunk).await;
        let actual = Hasher::digest(Algorithm::Sha256, b"other");
        assert_eq!(different, Mismatch::Different { actual });
        assert!(text.contains("the blob has other content: its digest is sha256:"), "{text}");
        assert_eq!(check(b"", b"x", chunk).await.0, Mismatch::TooLong { expected: 0 });
    }
}

#[tokio::test]
async fn an_empty_blob_is_read_and_must_be_there() {
    let provider = Faulty::new("", [Fault::Refuse(ErrorKind::NotFound)]);
    let source = Source::new(&provider, describe(b""), &Job::default());
    assert_eq!(drain(&source).await.1.unwrap_err().kind(), ErrorKind::NotFound);
    let (bytes, result) = drain(&source).await;
    assert!(result.is_ok() && bytes.is_empty());
}

#[tokio::test]
async fn sha512_digests_are_verified_too() {
    let bytes = Bytes::from_static(b"content");
    let digest = Hasher::digest(Algorithm::Sha512, &bytes);
    let descriptor = Descriptor::new(MediaType::default(), digest, 7);
    assert_eq!(Source::from_bytes(descriptor.clone(), bytes).read(7).await.unwrap(), "content");
    let error = Source::from_bytes(descriptor, "CONTENT").read(7).await.unwrap_err();
    assert!(matches!(mismatch(&error), Mismatch::Different { .. }));
}

#[tokio::test]
async fn a_stream_that_breaks_is_opened_again_where_it_broke() {
    let bytes = noise(100, 1);
    let broken = Fault::Break(30, ErrorKind::Unavailable);
    let provider = Faulty::new(bytes.clone(), [broken, Fault::Refuse(ErrorKind::Unavailable), broken]);
    let source = Source::new(&provider, describe(&bytes), &options(3));
    let (read, result) = drain(&source).await;
    result.unwrap();
    assert_eq!(read, bytes);
    assert_eq!(provider.opened(), [0, 30, 30, 60]);
}

#[tokio::test]
async fn a_stream_that_goes_on_with_another_blob_is_an_error() {
    let bytes = noise(64, 2);
    let mut other = bytes.to_vec();
    other[50] ^= 1;
    let provider = Faulty::new(other, [Fault::Break(20, ErrorKind::Unavailable)]);
    let source = Source::new(&provider, describe(&bytes), &options(3));
    let (_, result) = drain(&source).await;
    assert!(matches!(mismatch(&result.unwrap_err()), Mismatch::Different { .. }));
}

#[tokio::test]
async fn an_error_that_no_retry_helps_is_final_and_an_empty_budget_ends_all_retries() {
    let bytes = noise(64, 3);
    let denied = Faulty::new(bytes.clone(), [Fault::Break(20, ErrorKind::Denied)]);
    let (read, result) = drain(&Source::new(&denied, describe(&bytes), &Job::default())).await;
    assert_eq!((read.len(), result.unwrap_err().kind()), (20, ErrorKind::Denied));

    let broken = Faulty::new(bytes.clone(), [Fault::Break(20, ErrorKind::Unavailable); 5]);
    let job = Job::default().with_budget(RetryBudget::new(0));
    let source = Source::new(&broken, describe(&bytes), &job);
    assert_eq!(drain(&source).await.1.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(broken.opened(), [0]);
}

#[tokio::test]
async fn a_stream_that_breaks_after_the_last_byte_is_whole() {
    let bytes = noise(21, 4);
    let provider = Faulty::new(bytes.clone(), [Fault::Break(21, ErrorKind::Denied)]);
    assert_eq!(Source::new(&provider, describe(&bytes), &Job::default()).read(21).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let bytes = noise(40, 5);
    let provider = Faulty::new(bytes.clone(), [Fault::Stall(14)]);
    let source = Source::new(&provider, describe(&bytes), &Job::default());
    let mut reader = source.reader();
    let mut read = Vec::new();
    let wait = std::time::Duration::from_millis(20);
    while let Ok(chunk) = tokio::time::timeout(wait, reader.next_chunk()).await {
        read.extend_from_slice(&chunk.unwrap().unwrap());
    }
    assert_eq!(read, bytes[..14]);
    assert!(
        tokio::time::timeout(wait, reader.next_chunk()).await.is_err(),
        "it still waits, and has not ended"
    );
}

/// Reads from an offset on, in chunks of 7 bytes.
async fn drain_from(offset: u64, served: &[u8], wanted: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let provider = Faulty::new(served.to_vec(), []).in_chunks_of(7);
    let source = Source::new(&provider, describe(wanted), &Job::default());
    let mut reader = source.reader_at(offset);
    let mut bytes = Vec::new();
    loop {
        match reader.next_chunk().await {
            Ok(Some(chunk)) => {
                assert!(!chunk.is_empty());
                bytes.extend_from_slice(&chunk);
            }
            Ok(None) => return (bytes, Ok(())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

#[tokio::test]
async fn a_reader_from_an_offset_verifies_what_it_does_not_hand_out() {
    let bytes = noise(40, 8);
    let mut wrong_first = bytes.to_vec();
    wrong_first[0] ^= 1;
    for offset in [0, 1, 6, 7, 8, 35, 39, 40] {
        let (read, result) = drain_from(offset as u64, &bytes, &bytes).await;
        result.unwrap();
        assert_eq!(read, bytes[offset..]);
        let (read, result) = drain_from(offset as u64, &wrong_first, &bytes).await;
        assert!(matches!(mismatch(&result.unwrap_err()), Mismatch::Different { .. }));
        assert!(read.len() < bytes.len() - offset || offset == 40, "never as many bytes as were asked for");
    }
}

#[tokio::test]
async fn reading_whole_is_refused_above_the_limit_before_anything_is_opened() {
    let provider = Faulty::new(noise(100, 6), []);
    let wanted = describe(&noise(100, 6));
    let dynamic: &dyn cache_ingest::Provider = &provider;
    let error = dynamic.read(&wanted, &Job::default().with_max_metadata(99)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().ends_with("its 100 bytes are above the limit of 99 bytes for metadata"),
        "{error}"
    );
    assert!(provider.opened().is_empty());
    assert_eq!(dynamic.read(&wanted, &Job::default().with_max_metadata(100)).await.unwrap(), noise(100, 6));
}

#[test]
fn a_verifier_takes_no_byte_too_many() {
    let mut verifier = Verifier::new(&describe(b"abc"));
    verifier.update(b"ab").unwrap();
    assert!(verifier.update(b"cd").is_err());
    assert_eq!(verifier.received(), 2);
    verifier.update(b"c").unwrap();
    verifier.finish().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Law: whatever the chunks, wherever streams break or end, and whatever one flipped byte, the reader gives the
    /// exact bytes or an error; and it gives the bytes when every fault was one that a retry helps.
    #[test]
    fn any_chunking_and_any_cut_give_the_exact_bytes_or_an_error(
        len in 0usize..200,
        chunk in 1usize..64,
        cuts in prop::collection::vec((0usize..220, 0u8..4), 0..4),
        flip in prop::option::of(0usize..200),
        extra in 0usize..3,
    ) {
        let wanted = noise(len, 9);
        let mut served = wanted.to_vec();
        let flipped = flip.filter(|at| *at < len);
        if let Some(at) = flipped {
            served[at] ^= 0x40;
        }
        served.extend(std::iter::repeat_n(7, extra));
        let fault = |&(at, kind): &(usize, u8)| match kind {
            0 => Fault::End(at),
            1 => Fault::Refuse(ErrorKind::Unavailable),
            2 => Fault::Break(at, ErrorKind::Denied),
            _ => Fault::Break(at, ErrorKind::Unavailable),
        };
        let harmless = flipped.is_none() && extra == 0 && cuts.iter().all(|(_, kind)| matches!(kind, 1 | 3));
        let provider = Faulty::new(served, cuts.iter().map(fault)).in_chunks_of(chunk);
        let retry = options(8);
        let source = Source::new(&provider, describe(&wanted), &retry);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (bytes, result) = runtime.block_on(drain(&source));
        match result {
            Ok(()) => prop_assert_eq!(bytes, wanted),
            Err(error) => {
                prop_assert!(!harmless, "{}", error);
                prop_assert!(bytes.len() < len || len == 0);
            }
        }
    }
}
