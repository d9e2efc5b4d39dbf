//! The faulty providers do what they say, and the strict store refuses what it says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::io::Read;

use bytes::Bytes;
use cache_conformance::{Blob, Down, Fault, Faulty, Operation, StrictStore};
use cache_ingest::{Error, ErrorKind, Expect, Ingester, Job, Name, Provider, ProviderExt, Publisher, Source};
use cache_model::{Algorithm, MediaType};
use futures_util::TryStreamExt;

fn blob() -> Blob {
    Blob::layer(Algorithm::Sha256, 10)
}

/// The bytes that a stream gives from an offset on.
async fn served(provider: &dyn Provider, offset: u64) -> Result<Vec<u8>, Error> {
    let stream = provider.open(&blob().descriptor, offset).await?;
    Ok(stream.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn content_is_short_long_or_different_from_any_offset() {
    let right = blob().bytes.to_vec();
    for chunk in [1, 3, 100] {
        let faulty = |fault| Faulty::new(&blob(), fault).in_chunks_of(chunk);
        assert_eq!(served(&faulty(Fault::Nothing), 4).await.unwrap(), right[4..]);
        assert_eq!(served(&faulty(Fault::EndsAt(7)), 4).await.unwrap(), right[4..7]);
        assert_eq!(served(&faulty(Fault::EndsAt(7)), 8).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(served(&faulty(Fault::GoesOn(2)), 10).await.unwrap(), b"++");
        let differs = served(&faulty(Fault::Differs(5)), 0).await.unwrap();
        assert!((0..10).all(|n| (differs[n] == right[n]) == (n != 5)));
    }
}

#[tokio::test]
async fn a_file_has_the_fault_of_the_stream_or_has_it_alone() {
    let right = blob().bytes;
    let in_file = |faulty: &Faulty| {
        let mut bytes = Vec::new();
        faulty.file(&blob().descriptor).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let faults = [Fault::Nothing, Fault::EndsAt(7), Fault::GoesOn(2), Fault::Differs(5)];
    for fault in faults {
        assert!(Faulty::new(&blob(), fault).file(&blob().descriptor).is_none());
        let both = Faulty::new(&blob(), fault).with_file();
        assert_eq!(in_file(&both), served(&both, 0).await.unwrap());
        assert_eq!(in_file(&both) == right, fault == Fault::Nothing);
        let alone = Faulty::new(&blob(), fault).with_file_alone();
        assert_eq!(in_file(&alone), in_file(&both));
        assert_eq!(served(&alone, 0).await.unwrap(), right);
        assert!(alone.file(&Blob::index("other").descriptor).is_none());
    }
}

#[tokio::test]
async fn a_failure_shows_the_given_number_of_times_and_the_size_may_be_wrong() {
    let kind = ErrorKind::Unavailable;
    let faulty = Faulty::new(&blob(), Fault::FailsAt { byte: 5, kind, times: 2 });
    assert_eq!(served(&faulty, 0).await.unwrap_err().kind(), kind);
    assert_eq!(served(&faulty, 7).await.unwrap_err().kind(), kind);
    assert_eq!(served(&faulty, 0).await.unwrap(), blob().bytes);
    faulty.reached().await;

    let lying = Faulty::new(&blob(), Fault::TellsSize(99));
    assert_eq!(lying.info(&blob().descriptor).await.unwrap().size, 99);
    assert_eq!(
        lying.read(&blob().descriptor, &Job::default().with_max_metadata(10)).await.unwrap(),
        blob().bytes
    );
    let other = Blob::index("other").descriptor;
    assert_eq!(lying.info(&other).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Down(ErrorKind::Denied).info(&other).await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn the_strict_store_refuses_a_manifest_that_names_absent_blobs() {
    let store = StrictStore::new();
    let config = Blob::new(MediaType::CACHE_CONFIG, "{}");
    let manifest = Blob::manifest(&config, &[blob()]);
    let tag = Name::Tag("t".into());
    let publish = |blob: &Blob| (blob.descriptor.clone(), blob.bytes.clone());
    store.put(&config.descriptor, &config.source()).await.unwrap();
    let (descriptor, bytes) = publish(&manifest);
    let refused = store.publish(&tag, &descriptor, bytes.clone(), Expect::Any).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incomplete);
    assert!(refused.reason().contains(&blob().descriptor.digest.to_string()));

    store.put(&blob().descriptor, &blob().source()).await.unwrap();
    let mut wrong = blob();
    wrong.descriptor.size = 11;
    let (lying, lie) = publish(&Blob::manifest(&config, std::slice::from_ref(&wrong)));
    assert!(store.publish(&tag, &lying, lie, Expect::Any).await.is_err());
    let no_json = Blob::new(MediaType::OCI_MANIFEST, "no JSON");
    let (lying, lie) = publish(&no_json);
    assert!(store.publish(&tag, &lying, lie, Expect::Any).await.is_err());
    assert!(store.memory().tags().is_empty());

    store.publish(&tag, &descriptor, bytes, Expect::Any).await.unwrap();
    assert_eq!(store.written(), [config.descriptor, blob().descriptor, manifest.descriptor.clone()]);
    assert_eq!(store.operations().last(), Some(&Operation::Publish(tag, manifest.descriptor)));
}

#[tokio::test]
async fn the_strict_store_refuses_a_put_of_the_wrong_size_and_serves_uneven_chunks() {
    let store = StrictStore::new();
    let mut wrong = blob();
    wrong.descriptor.size = 11;
    let other = Source::from_bytes(blob().descriptor, blob().bytes).with_job(&Job::without_retries());
    assert_eq!(store.put(&wrong.descriptor, &other).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(store.put(&wrong.descriptor, &wrong.source()).await.is_err());
    store.put(&blob().descriptor, &blob().source()).await.unwrap();
    let wrong = store.put(&wrong.descriptor, &wrong.source()).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    let stream = store.open(&blob().descriptor, 1).await.unwrap();
    let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(chunks.iter().map(Bytes::len).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 2]);
    assert_eq!(chunks.concat(), blob().bytes[1..]);
}
