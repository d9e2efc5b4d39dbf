//! The store in memory.

use cache_ingest::{
    ErrorKind, Expect, Ingester, Job, MemoryStore, Name, Provider, Publisher, Resolver, Source, Stored,
};
use cache_model::MediaType;
use futures_util::StreamExt;

use crate::faults::{Faulty, describe, noise};

#[tokio::test]
async fn putting_is_idempotent_and_nothing_unverified_is_visible() {
    let store = MemoryStore::new();
    let blob = describe(b"content");
    let wrong = Source::from_bytes(blob.clone(), "CONTENT");
    assert_eq!(store.put(&blob, &wrong).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.info(&blob).await.unwrap_err().kind(), ErrorKind::NotFound);
    let right = Source::from_bytes(blob.clone(), "content");
    assert_eq!(store.put(&blob, &right).await.unwrap(), Stored::Stored);
    let never_read = Faulty::new(noise(7, 0), []);
    let again = store.put(&blob, &Source::new(&never_read, blob.clone(), &Job::default())).await.unwrap();
    assert_eq!(again, Stored::AlreadyPresent);
    assert!(never_read.opened().is_empty());
}

#[tokio::test]
async fn opening_at_the_end_is_empty_and_beyond_it_an_error() {
    let store = MemoryStore::new();
    let blob = store.insert(MediaType::default(), "abc");
    assert_eq!(store.open(&blob, 1).await.unwrap().next().await.unwrap().unwrap(), "bc");
    assert!(store.open(&blob, 3).await.unwrap().next().await.is_none());
    assert_eq!(store.open(&blob, 4).await.err().unwrap().kind(), ErrorKind::Invalid);
    assert!(store.remove(&blob.digest));
    assert_eq!(store.open(&blob, 0).await.err().unwrap().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn publishing_compares_before_it_swaps() {
    let store = MemoryStore::new();
    let (a, b) = (describe(b"{\"a\":1}"), describe(b"{\"b\":1}"));
    let tag = Name::Tag("v1".into());
    let publish = async |bytes: &'static [u8], expect| {
        store.publish(&tag, &describe(bytes), bytes.into(), expect).await
    };
    let conflict =
        |result: Result<(), cache_ingest::Error>| result.unwrap_err().kind() == ErrorKind::Conflict;
    assert!(conflict(publish(b"{\"a\":1}", Expect::Digest(b.digest)).await));
    assert_eq!(store.resolve(&tag).await.unwrap_err().kind(), ErrorKind::NotFound);
    publish(b"{\"a\":1}", Expect::Absent).await.unwrap();
    assert!(conflict(publish(b"{\"b\":1}", Expect::Absent).await));
    assert_eq!(store.resolve(&tag).await.unwrap().descriptor, a);
    publish(b"{\"b\":1}", Expect::Digest(a.digest)).await.unwrap();
    assert_eq!(store.resolve(&Name::Unspecified).await.unwrap().descriptor, b);
    assert_eq!(store.resolve(&Name::Digest(a.digest)).await.unwrap().descriptor, a);
    store.publish(&Name::Unspecified, &a, "{\"a\":1}".into(), Expect::Absent).await.unwrap();
    assert_eq!(store.resolve(&Name::Unspecified).await.unwrap().descriptor, a);
    assert_eq!(store.tags(), ["latest", "v1"]);
    let wrong = store.publish(&tag, &a, "other".into(), Expect::Any).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Corrupt);
    let other_digest = store.publish(&Name::Digest(b.digest), &a, "{\"a\":1}".into(), Expect::Any).await;
    assert_eq!(other_digest.unwrap_err().kind(), ErrorKind::Invalid);
}
