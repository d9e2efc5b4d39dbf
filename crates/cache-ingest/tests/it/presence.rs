//! Present, absent and *could not tell*.

use cache_ingest::{ErrorKind, Job, MemoryStore, presence};
use cache_model::MediaType;

use crate::faults::{Fault, Faulty, describe};

#[tokio::test]
async fn what_is_there_is_told_from_what_is_not() {
    let store = MemoryStore::new();
    let (here, gone) = (store.insert(MediaType::default(), "here"), describe(b"gone"));
    let present = presence(&store, [&here, &gone, &here], &Job::default()).await.unwrap();
    assert!(present.contains(&here.digest) && !present.contains(&gone.digest));
    assert_eq!(present.len(), 1);
}

#[tokio::test]
async fn could_not_tell_is_an_error_of_its_kind() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::Other] {
        let provider = Faulty::new("abc", [Fault::Refuse(kind)]);
        assert_eq!(presence(&provider, [&describe(b"abc")], &Job::default()).await.unwrap_err().kind(), kind);
    }
    let absent = Faulty::new("abc", [Fault::Refuse(ErrorKind::NotFound)]);
    assert!(presence(&absent, [&describe(b"abc")], &Job::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_blob_of_another_size_is_corrupt_and_not_absent() {
    let store = MemoryStore::new();
    let mut blob = store.insert(MediaType::default(), "12345");
    blob.size = 7;
    let error = presence(&store, [&blob], &Job::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().ends_with("its descriptor says 7 bytes, the store says 5"), "{error}");
}
