//! A provider that fails at any of its reads: the copy ends in its error, nothing is visible, and the next one succeeds.

use cache_conformance::{Blob, Down, Fault, Faulty};
use cache_ingest::{
    Error, ErrorKind, Job, LayoutOptions, LayoutStore, Provider, ProviderExt, Side, Step, Stored, copy,
    presence,
};
use cache_model::Algorithm;

use crate::faults::options;
use crate::whole::{check, names};

const CHUNK: u32 = 1000;

/// A copy of a blob that fails, and then one that does not.
async fn check_copy(blob: &Blob, from: &dyn Provider) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let to = LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let error = copy(Step::Layer, &blob.descriptor, from, &to, &options(0)).await.unwrap_err();
    check(folder.path()).await;
    let (blobs, ingest) = (folder.path().join("blobs/sha256"), folder.path().join("ingest"));
    assert_eq!(names(&blobs), Vec::<String>::new(), "{error}");
    for part in names(&ingest) {
        assert!(blob.bytes.starts_with(&std::fs::read(ingest.join(&part)).unwrap()), "{error}: {part}");
    }
    let sound = Faulty::new(blob, Fault::Nothing);
    let copied = copy(Step::Layer, &blob.descriptor, &sound, &to, &options(0)).await;
    assert_eq!(copied.unwrap(), Stored::Stored);
    assert_eq!(to.read(&blob.descriptor, &Job::default()).await.unwrap(), blob.bytes);
    assert_eq!(names(&ingest), Vec::<String>::new(), "{error}");
    error
}

#[tokio::test]
async fn an_error_at_any_read_is_told_as_the_sources_and_leaves_nothing_visible() {
    let blob = Blob::layer(Algorithm::Sha256, 5 * CHUNK);
    // The first and last byte of each chunk, and one in its middle.
    let bytes = (0..5).flat_map(|chunk| [0, CHUNK / 2, CHUNK - 1].map(|byte| chunk * CHUNK + byte));
    for byte in bytes.map(u64::from) {
        for kind in [ErrorKind::Other, ErrorKind::Unavailable] {
            let fault = Fault::FailsAt { byte, kind, times: u32::MAX };
            let from = Faulty::new(&blob, fault).in_chunks_of(CHUNK as usize);
            let error = check_copy(&blob, &from).await;
            assert_eq!((error.kind(), error.side()), (kind, Some(Side::Source)), "byte {byte}: {error}");
        }
    }
}

#[tokio::test]
async fn an_error_when_it_is_opened_or_asked_is_told_as_such() {
    let blob = Blob::layer(Algorithm::Sha256, CHUNK);
    for kind in [ErrorKind::Other, ErrorKind::Denied, ErrorKind::NotFound] {
        let error = check_copy(&blob, &Down(kind)).await;
        assert_eq!((error.kind(), error.side()), (kind, Some(Side::Source)), "{error}");
    }
    let asked = presence(&Down(ErrorKind::Other), [&blob.descriptor], &Job::default()).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Other, "it could not tell, which is not absent");
}
