//! Blobs from files that are large enough to be hashed two at a time, and on another processor than they are copied on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};

use bytes::Bytes;
use cache_ingest::{
    DiskHook, DiskOperation, Hasher, LayoutOptions, LayoutStore, Mismatch, Step, Stored, copy, copy_bytes,
};
use cache_model::{Algorithm, Descriptor};

use crate::faults::{Heard, describe, job_hearing, mismatch, noise, options};

/// More than what is copied ahead of the hashing, and than what is hashed before it is reported.
const LARGE: usize = (9 << 20) + 5;

/// A layout that has other bytes in the place of a blob, perhaps.
async fn source(folder: &Path, blob: &Descriptor, bytes: &[u8]) -> LayoutStore {
    let store = LayoutStore::open(folder, LayoutOptions::create().with_sync(false)).await.unwrap();
    fs::write(folder.join("blobs/sha256").join(blob.digest.hex()), bytes).unwrap();
    store
}

fn names(path: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[tokio::test]
async fn a_large_file_is_copied_and_told_to_the_byte() {
    for sync in [false, true] {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bytes = noise(LARGE, 1);
        let blob = describe(&bytes);
        let from = source(one.path(), &blob, &bytes).await;
        let to = LayoutStore::open(other.path(), LayoutOptions::create().with_sync(sync)).await.unwrap();
        let heard = Heard::default();
        let stored = copy(Step::Layer, &blob, &from, &to, &job_hearing(&options(0), &heard)).await.unwrap();
        assert_eq!((stored, heard.transferred()), (Stored::Stored, LARGE as u64));
        let path = other.path().join("blobs/sha256").join(blob.digest.hex());
        assert!(fs::read(&path).unwrap() == bytes);
        let is_read_only = fs::metadata(&path).unwrap().permissions().readonly();
        assert_eq!(is_read_only, cfg!(unix), "as in containerd");
        assert!(names(&other.path().join("ingest")).is_empty());
    }
}

#[tokio::test]
async fn a_large_file_that_is_wrong_anywhere_is_never_visible() {
    let bytes = noise(LARGE, 1);
    let blob = describe(&bytes);
    let wrong_at = |at: usize| {
        let mut wrong = bytes.to_vec();
        wrong[at] ^= 1;
        Bytes::from(wrong)
    };
    let long = Bytes::from([&bytes[..], b"x"].concat());
    for file in [wrong_at(0), wrong_at(5 << 20), wrong_at(LARGE - 1), bytes.slice(1..), long] {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = source(one.path(), &blob, &file).await;
        let to = LayoutStore::open(other.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
        let error = copy(Step::Layer, &blob, &from, &to, &options(0)).await.unwrap_err();
        let told = match mismatch(&error) {
            Mismatch::Different { .. } => LARGE,
            Mismatch::TooShort { .. } => LARGE - 1,
            Mismatch::TooLong { .. } => LARGE + 1,
        };
        assert_eq!(told, file.len());
        for folder in ["blobs/sha256", "ingest"] {
            assert!(names(&other.path().join(folder)).is_empty(), "{folder}");
        }
    }
}

#[tokio::test]
async fn large_files_that_are_copied_together_are_each_as_if_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = LayoutStore::open(other.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let sizes = [1 << 20, LARGE, (3 << 20) + 64, LARGE / 2, (1 << 20) + 1, LARGE - 1, 2 << 20];
    let blobs: Vec<_> =
        (1..).zip(sizes).map(|(seed, size)| noise(size, seed)).map(|b| (describe(&b), b)).collect();
    let mut from = LayoutStore::open(one.path(), LayoutOptions::create()).await.unwrap();
    for (n, (blob, bytes)) in blobs.iter().enumerate() {
        // Every third is cut short.
        from = source(one.path(), blob, &bytes[..bytes.len() - usize::from(n % 3 == 2)]).await;
    }
    let options = options(0);
    let copies = blobs.iter().map(|(blob, _)| copy(Step::Layer, blob, &from, &to, &options));
    let done = futures_util::future::join_all(copies).await;
    for (n, (done, (blob, bytes))) in done.into_iter().zip(&blobs).enumerate() {
        let stored = fs::read(other.path().join("blobs/sha256").join(blob.digest.hex()));
        if n % 3 == 2 {
            assert!(matches!(mismatch(&done.unwrap_err()), Mismatch::TooShort { .. }), "{n}");
            assert!(stored.is_err(), "{n}");
        } else {
            assert_eq!(done.unwrap(), Stored::Stored);
            assert!(stored.unwrap() == *bytes, "{n}");
        }
    }
    assert!(names(&other.path().join("ingest")).is_empty());
}

/// Panics when the first of the staged files is written to for the second time.
#[derive(Default)]
struct PanicsOnce(Mutex<Option<PathBuf>>, AtomicUsize);

impl DiskHook for PanicsOnce {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        if let DiskOperation::Write { path, offset: 1.., .. } = operation {
            let is_first = *self.0.lock().unwrap().get_or_insert(path.to_path_buf()) == *path;
            assert!(!is_first || self.1.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
        }
        work()
    }
}

#[tokio::test]
async fn a_panic_while_a_large_file_is_written_is_the_end_of_that_one_alone() {
    for sync in [false, true] {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hook = Arc::new(PanicsOnce::default());
        let to = LayoutStore::open(other.path(), LayoutOptions::create().with_hook(hook).with_sync(sync))
            .await
            .unwrap();
        let blobs: Vec<_> =
            (0..8).map(|seed| noise(LARGE, seed)).map(|bytes| (describe(&bytes), bytes)).collect();
        let mut from = LayoutStore::open(one.path(), LayoutOptions::create()).await.unwrap();
        for (blob, bytes) in &blobs {
            from = source(one.path(), blob, bytes).await;
        }
        let options = options(0);
        let copies = blobs.iter().map(|(blob, _)| copy(Step::Layer, blob, &from, &to, &options));
        let done = futures_util::future::join_all(copies).await;
        assert_eq!(done.iter().filter(|done| done.is_err()).count(), 1, "{done:?}");
        assert_eq!(names(&other.path().join("blobs/sha256")).len(), 7);
        assert!(names(&other.path().join("ingest")).is_empty());
    }
}

#[tokio::test]
async fn large_files_with_sha512_digests_go_beside_others() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = LayoutStore::open(one.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let to = LayoutStore::open(other.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let options = options(0);
    let mut blobs = Vec::new();
    for seed in 0..6 {
        let bytes = noise(LARGE, seed);
        let algorithm = if seed % 3 == 0 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let blob = Descriptor { digest: Hasher::digest(algorithm, &bytes), ..describe(&bytes) };
        copy_bytes(Step::Layer, &blob, bytes, &from, &options).await.unwrap();
        blobs.push(blob);
    }
    let copies = blobs.iter().map(|blob| copy(Step::Layer, blob, &from, &to, &options));
    for done in futures_util::future::join_all(copies).await {
        assert_eq!(done.unwrap(), Stored::Stored);
    }
    assert_eq!(names(&other.path().join("blobs/sha512")).len(), 2);
}

#[tokio::test]
async fn a_large_file_that_no_one_wants_any_more_is_given_up() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bytes = noise(64 << 20, 1);
    let blob = describe(&bytes);
    let from = source(one.path(), &blob, &bytes).await;
    let to = LayoutStore::open(other.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let ingest = other.path().join("ingest");
    let options = options(0);
    let put = copy(Step::Layer, &blob, &from, &to, &options);
    tokio::select! {
        biased;
        _ = put => panic!("it was faster than the look at what is staged"),
        () = async {
            while names(&ingest).is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        } => {}
    }
    while !names(&ingest).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(names(&other.path().join("blobs/sha256")).is_empty());
}
