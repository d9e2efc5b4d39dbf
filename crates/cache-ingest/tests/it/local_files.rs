//! Copies from a provider that hands out files: what is wrong with a file stays wrong, and is told as the source's.

use std::fs::{self, File};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Info, Ingester, LayoutOptions, LayoutStore, MemoryStore, Mismatch,
    Provider, Side, Step, copy,
};
use cache_model::Descriptor;

use crate::faults::{Heard, describe, job_hearing, mismatch, options};

/// A store that counts how often its blobs are opened, as streams and as files.
struct Counted {
    store: LayoutStore,
    streams: AtomicUsize,
    files: AtomicUsize,
}

impl Counted {
    fn new(store: LayoutStore) -> Self {
        Self { store, streams: AtomicUsize::new(0), files: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Provider for Counted {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.store.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.streams.fetch_add(1, Ordering::SeqCst);
        self.store.open(descriptor, offset).await
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        self.files.fetch_add(1, Ordering::SeqCst);
        self.store.file(descriptor)
    }
}

#[tokio::test]
async fn a_local_blob_that_is_wrong_is_read_once_and_spends_no_retry() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let blob = describe(b"right");
    let from = LayoutStore::open(one.path(), LayoutOptions::create()).await.unwrap();
    fs::write(one.path().join("blobs/sha256").join(blob.digest.hex()), "wrong").unwrap();
    let (memory, layout) =
        (MemoryStore::new(), LayoutStore::open(other.path(), LayoutOptions::create()).await.unwrap());
    for (to, streams, files) in [(&memory as &dyn Ingester, 1, 1), (&layout, 0, 2)] {
        let (from, options, heard) = (Counted::new(from.clone()), options(5), Heard::default());
        let error = copy(Step::Layer, &blob, &from, to, &job_hearing(&options, &heard)).await.unwrap_err();
        assert!(matches!(mismatch(&error), Mismatch::Different { .. }));
        assert_eq!(error.side(), Some(Side::Source));
        assert_eq!(heard.steps(), ["started writing layer", "failed writing layer"]);
        assert_eq!(options.budget.left(), 5);
        // A file is asked for once more, to see whether there is one.
        let opened = (from.streams.into_inner(), from.files.into_inner());
        assert_eq!(opened, (streams, files));
    }
}

#[tokio::test]
async fn a_folder_in_a_blobs_place_is_told_at_once() {
    let one = tempfile::tempdir().unwrap();
    let blob = describe(b"blob");
    let from = LayoutStore::open(one.path(), LayoutOptions::create()).await.unwrap();
    fs::create_dir(one.path().join("blobs/sha256").join(blob.digest.hex())).unwrap();
    let options = options(5);
    let to = MemoryStore::new();
    let error =
        copy(Step::Layer, &blob, &from, &to, &job_hearing(&options, &Heard::default())).await.unwrap_err();
    assert_eq!((error.kind(), error.side()), (ErrorKind::Invalid, Some(Side::Source)));
    assert_eq!(options.budget.left(), 5, "no retry is spent on it");
}
