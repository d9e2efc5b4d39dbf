//! Copies from a provider that hands out something else than a regular file: a folder, or a pipe.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Info, Ingester, Job, LayoutOptions, LayoutStore, Provider, Source, Step,
    copy,
};
use cache_model::Descriptor;

use crate::faults::{describe, options};

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
struct Pipe(OwnedFd);

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

#[tokio::test]
async fn a_small_file_that_no_one_wants_any_more_is_never_visible() {
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
