//! Copies from a provider that hands out files: what is wrong with a file stays wrong, and is told as the source's.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Info, Ingester, Job, LayoutOptions, LayoutStore, MemoryStore, Mismatch,
    Provider, Side, Source, Step, copy,
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

/// A provider whose file cannot be read: it is a folder.
struct Unreadable(PathBuf);

#[async_trait]
impl Provider for Unreadable {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(descriptor.size))
    }

    async fn open(&self, descriptor: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::new(ErrorKind::Other, "open", descriptor.digest, "only its file is asked for"))
    }

    fn file(&self, _: &Descriptor) -> Option<File> {
        File::open(&self.0).ok()
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_read_is_the_sources_error_and_names_the_blob() {
    let (unreadable, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (
        Unreadable(unreadable.path().to_owned()),
        LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap(),
    );
    let blob = describe(b"blob");
    let error = copy(Step::Layer, &blob, &from, &to, &options(0)).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("source: read {}: ", blob.digest)), "{error}");
    let error = to.put(&blob, &Source::new(&from, blob.clone(), &Job::default())).await.unwrap_err();
    assert_eq!((error.side(), error.operation()), (None, "read"), "outside of a copy there are no sides");
    assert_eq!(fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0);
}

/// A provider whose file has no bytes before someone writes them.
#[cfg(unix)]
struct Pipe(std::os::fd::OwnedFd);

#[cfg(unix)]
#[async_trait]
impl Provider for Pipe {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(descriptor.size))
    }

    async fn open(&self, descriptor: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::new(ErrorKind::Other, "open", descriptor.digest, "only its file is asked for"))
    }

    fn file(&self, _: &Descriptor) -> Option<File> {
        self.0.try_clone().ok().map(File::from)
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_small_file_that_no_one_wants_any_more_is_never_visible() {
    use std::io::Write as _;

    let folder = tempfile::tempdir().unwrap();
    let staged = || fs::read_dir(folder.path().join("ingest")).unwrap().count();
    for sync in [false, true] {
        let to = LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(sync)).await.unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (from, blob, options) = (Pipe(reader.into()), describe(b"blob"), options(0));
        let put = copy(Step::Layer, &blob, &from, &to, &options);
        tokio::select! {
            biased;
            done = put => panic!("it cannot be done: {done:?}"),
            () = async { while staged() == 0 { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
        }
        writer.write_all(b"blob").unwrap();
        drop(writer);
        while staged() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 0);
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
