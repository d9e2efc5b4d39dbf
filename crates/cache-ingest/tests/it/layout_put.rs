//! Storing blobs in a layout: whole and verified or not at all, and only our own stale files go.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache_ingest::{
    ErrorKind, Expect, Hasher, Ingester, Job, LayoutOptions, LayoutStore, MemoryStore, Mismatch, Name,
    ProviderExt, Publisher, Source, Step, Stored, copy, copy_all,
};
use cache_model::{Algorithm, Descriptor, MediaType};

use crate::faults::{Fault, Faulty, Heard, describe, job_hearing, mismatch, noise, options};

async fn layout(path: &Path) -> LayoutStore {
    layout_with(path, LayoutOptions::create().with_sync(false)).await
}

async fn layout_with(path: &Path, options: LayoutOptions) -> LayoutStore {
    LayoutStore::open(path, options).await.unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn blob_path(store: &LayoutStore, blob: &Descriptor) -> PathBuf {
    store.path().join("blobs").join(blob.digest.algorithm().name()).join(blob.digest.hex())
}

/// Waits until nothing is staged any more: a thread that writes for a dropped future takes a moment to notice.
async fn nothing_staged(store: &LayoutStore) {
    for _ in 0..500 {
        if names(&store.path().join("ingest")).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("left in ingest: {:?}", names(&store.path().join("ingest")));
}

#[tokio::test]
async fn a_blob_is_stored_once_and_then_already_present_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    for (n, sync) in [(1, true), (2, false)] {
        let store = layout_with(folder.path(), LayoutOptions::create().with_sync(sync)).await;
        let bytes = noise(700_000, n);
        let blob = describe(&bytes);
        let source = Source::from_bytes(blob.clone(), bytes.clone());
        assert_eq!(store.put(&blob, &source).await.unwrap(), Stored::Stored);
        assert_eq!(fs::read(blob_path(&store, &blob)).unwrap(), bytes);
        let unread = Faulty::new("", []);
        assert_eq!(
            store.put(&blob, &Source::new(&unread, blob.clone(), &Job::default())).await.unwrap(),
            Stored::AlreadyPresent
        );
        assert!(unread.opened().is_empty());
        nothing_staged(&store).await;
    }
}

#[tokio::test]
async fn a_layer_that_is_cut_short_too_long_or_different_is_never_visible() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let wanted = noise(2000, 1);
    for served in [wanted.slice(..1999), noise(2000, 2), [&wanted[..], b"x"].concat().into()] {
        let provider = Faulty::new(served, []);
        let blob = describe(&wanted);
        mismatch(
            &store.put(&blob, &Source::new(&provider, blob.clone(), &Job::default())).await.unwrap_err(),
        );
        assert!(names(&folder.path().join("blobs/sha256")).is_empty());
        assert!(names(&folder.path().join("ingest")).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_puts_of_one_blob_at_the_same_time_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let bytes = noise(300_000, 1);
    let blob = describe(&bytes);
    let puts = (0..8).map(|n| {
        // Half of them through a handle of its own, as another process would have.
        let (path, bytes, blob) = (folder.path().to_owned(), bytes.clone(), blob.clone());
        let shared = (n % 2 == 0).then(|| store.clone());
        tokio::spawn(async move {
            let store = match shared {
                Some(store) => store,
                None => layout(&path).await,
            };
            store.put(&blob, &Source::from_bytes(blob.clone(), bytes)).await.unwrap()
        })
    });
    let stored: Vec<_> = futures_util::future::join_all(puts).await.into_iter().map(Result::unwrap).collect();
    assert!(stored.contains(&Stored::Stored) && !stored.contains(&Stored::Mounted));
    assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), bytes);
    nothing_staged(&store).await;
}

#[tokio::test]
async fn a_blob_of_the_wrong_size_and_a_link_in_its_place_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let blob = describe(b"whole");
    let path = blob_path(&store, &blob);
    fs::write(&path, "who").unwrap();
    assert_eq!(store.put(&blob, &Source::from_bytes(blob.clone(), "whole")).await.unwrap(), Stored::Stored);
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    #[cfg(unix)]
    {
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join("target"), "WHOLE").unwrap();
        std::os::unix::fs::symlink(folder.path().join("target"), &path).unwrap();
        assert_eq!(
            store.put(&blob, &Source::from_bytes(blob.clone(), "whole")).await.unwrap(),
            Stored::Stored
        );
        assert_eq!(fs::read_to_string(folder.path().join("target")).unwrap(), "WHOLE");
        assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), "whole");
    }
}

#[tokio::test]
async fn a_blob_of_other_content_is_replaced_by_bytes_in_memory_and_trusted_by_its_size_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let blob = describe(b"right");
    let path = blob_path(&store, &blob);
    fs::write(&path, "wrong").unwrap();
    let provider = Faulty::new("right", []);
    let from_provider = Source::new(&provider, blob.clone(), &Job::default());
    assert_eq!(store.put(&blob, &from_provider).await.unwrap(), Stored::AlreadyPresent);
    assert_eq!((fs::read_to_string(&path).unwrap(), provider.opened().len()), ("wrong".into(), 0));

    let wrong_too = Source::from_bytes(blob.clone(), "WRONG");
    mismatch(&store.put(&blob, &wrong_too).await.unwrap_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "wrong", "only what is verified takes its place");

    let in_memory = Source::from_bytes(blob.clone(), "right");
    assert_eq!(store.put(&blob, &in_memory).await.unwrap(), Stored::Stored);
    assert_eq!(fs::read_to_string(&path).unwrap(), "right");
    assert_eq!(store.put(&blob, &in_memory).await.unwrap(), Stored::AlreadyPresent);
    assert!(names(&folder.path().join("ingest")).is_empty());
}

#[tokio::test]
async fn a_file_is_cloned_and_the_clone_is_what_is_verified() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to, heard) = (layout(one.path()).await, layout(other.path()).await, Heard::default());
    let bytes = noise(20 << 20, 1);
    let blob = describe(&bytes);
    fs::write(blob_path(&from, &blob), &bytes).unwrap();
    copy(Step::Layer, &blob, &from, &to, &job_hearing(&options(0), &heard)).await.unwrap();
    assert!(to.read(&blob, &Job::default()).await.unwrap() == bytes);
    assert_eq!(heard.transferred(), blob.size);

    let wrong = describe(b"right");
    for (content, want) in [("wrong", "other content"), ("rig", "too short"), ("right and more", "too long")]
    {
        fs::write(blob_path(&from, &wrong), content).unwrap();
        let error = copy(Step::Layer, &wrong, &from, &to, &options(0)).await.unwrap_err();
        mismatch(&error);
        assert!(error.to_string().starts_with("source: ") && error.to_string().contains(want), "{error}");
        assert!(!blob_path(&to, &wrong).exists());
    }
    nothing_staged(&to).await;
}

#[tokio::test]
async fn sha512_blobs_have_a_folder_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout_with(folder.path(), LayoutOptions::create()).await;
    let digest = Hasher::digest(Algorithm::Sha512, b"content");
    let blob = Descriptor::new(MediaType::default(), digest, 7);
    store.put(&blob, &Source::from_bytes(blob.clone(), "content")).await.unwrap();
    assert_eq!(names(&folder.path().join("blobs")), ["sha256", "sha512"]);
    assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), "content");
    let error = store.put(&blob, &Source::from_bytes(blob.clone(), "CONTENT")).await.unwrap();
    assert_eq!(error, Stored::AlreadyPresent);
}

#[tokio::test]
async fn stale_staged_files_go_also_where_all_blobs_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let blob = describe(b"manifest");
    let publish = async || {
        let store = layout(folder.path()).await;
        let name = Name::Tag("a".into());
        store.publish(&name, &blob, "manifest".into(), Expect::Any).await.unwrap();
        store
    };
    publish().await;
    fs::write(folder.path().join("ingest/bkcache-stale"), "").unwrap();
    nothing_staged(&publish().await).await;
}

#[tokio::test]
async fn stale_staged_files_go_and_locked_and_foreign_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path()).await;
    let ingest = folder.path().join("ingest");
    for name in ["bkcache-stale", "bkcache-locked", "foreign"] {
        fs::write(ingest.join(name), "x").unwrap();
    }
    fs::create_dir(ingest.join("bkcache-folder")).unwrap();
    let locked = fs::File::open(ingest.join("bkcache-locked")).unwrap();
    locked.try_lock().unwrap();
    let store = layout(folder.path()).await;
    assert!(ingest.join("bkcache-stale").exists(), "opening a layout that is there removes nothing");
    let blob = describe(b"x");
    store.put(&blob, &Source::from_bytes(blob.clone(), "x")).await.unwrap();
    assert_eq!(names(&ingest), ["bkcache-folder", "bkcache-locked", "foreign"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_blobs_are_stored_at_once_and_durably() {
    let folder = tempfile::tempdir().unwrap();
    let store = LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap();
    let from = MemoryStore::new();
    let blobs: Vec<_> =
        (0..100).map(|n| from.insert(MediaType::default(), noise(3000 + n, n as u8))).collect();
    let all = blobs.iter().map(|blob| (Step::Layer, blob.clone()));
    let summary = copy_all(all, &from, &store, &Job::default()).await.unwrap();
    assert_eq!(summary.stored.blobs, 100);
    for blob in &blobs {
        assert_eq!(store.read(blob, &Job::default()).await.unwrap(), from.blob(&blob.digest).unwrap());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_blobs_folder_that_is_a_link_is_not_written_through() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    layout(folder.path()).await;
    fs::remove_dir(folder.path().join("blobs/sha256")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("blobs/sha256")).unwrap();
    let store = layout(folder.path()).await;
    let blob = describe(b"x");
    let error = store.put(&blob, &Source::from_bytes(blob.clone(), "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().ends_with("blobs/sha256: it is not a folder"), "{error}");
    assert!(names(elsewhere.path()).is_empty());
}

#[tokio::test]
async fn a_source_that_breaks_is_resumed_into_the_same_staged_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let bytes = noise(5000, 1);
    let blob = describe(&bytes);
    let provider = Faulty::new(bytes.clone(), [Fault::Break(1400, ErrorKind::Unavailable)]);
    let heard = Heard::default();
    copy(Step::Layer, &blob, &provider, &store, &job_hearing(&options(1), &heard)).await.unwrap();
    assert_eq!(provider.opened(), [0, 1400]);
    assert_eq!(heard.transferred(), 5000);
    assert_eq!(store.read(&blob, &Job::default()).await.unwrap(), bytes);
    let error = Source::from_bytes(blob.clone(), "short").read(5000).await.unwrap_err();
    assert_eq!(mismatch(&error), &Mismatch::TooShort { received: 5, expected: 5000 });
}

#[tokio::test]
async fn a_damaged_blob_of_the_right_size_is_replaced_only_by_a_store_that_rehashes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (bytes, damaged) = (noise(700_000, 1), noise(700_000, 2));
    let blob = describe(&bytes);
    let files = layout(one.path()).await;
    files.put(&blob, &Source::from_bytes(blob.clone(), bytes.clone())).await.unwrap();
    let stream = Faulty::new(bytes.clone(), []);
    let trusting = layout(other.path()).await;
    let rehashing =
        layout_with(other.path(), LayoutOptions::default().with_sync(false).with_rehash(true)).await;
    let path = blob_path(&trusting, &blob);
    for source in [
        Source::new(&files, blob.clone(), &Job::default()),
        Source::new(&stream, blob.clone(), &Job::default()),
    ] {
        fs::write(&path, &damaged).unwrap();
        assert_eq!(trusting.put(&blob, &source).await.unwrap(), Stored::AlreadyPresent);
        assert!(fs::read(&path).unwrap() == damaged);
        assert_eq!(rehashing.put(&blob, &source).await.unwrap(), Stored::Stored);
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(rehashing.put(&blob, &source).await.unwrap(), Stored::AlreadyPresent);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(stream.opened(), [0], "what is there and right is not asked for");
}

#[tokio::test]
async fn to_hash_a_blob_that_exists_is_reported_and_a_blob_that_does_not_exist_is_not_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, heard) = (noise(700_000, 1), Heard::default());
    let blob = describe(&bytes);
    let (stream, job) = (Faulty::new(bytes, []), job_hearing(&Job::default(), &heard));
    let put = async |rehash: bool| {
        let options = LayoutOptions::create().with_sync(false).with_rehash(rehash);
        copy(Step::Layer, &blob, &stream, &layout_with(folder.path(), options).await, &job).await.unwrap();
        let line = format!("hashing {} of 700000 bytes, which exists", blob.digest);
        heard.lines().iter().filter(|heard| **heard == line).count()
    };
    assert_eq!((put(true).await, put(false).await, put(true).await), (0, 0, 1));
}

#[tokio::test]
async fn a_folder_for_staged_files_that_was_tidied_up_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    fs::remove_dir(folder.path().join("ingest")).unwrap();
    let blob = describe(b"blob");
    assert_eq!(store.put(&blob, &Source::from_bytes(blob.clone(), "blob")).await.unwrap(), Stored::Stored);
}

#[tokio::test]
async fn a_put_that_cannot_write_does_not_wait_for_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let ingest = folder.path().join("ingest");
    fs::remove_dir(&ingest).unwrap();
    fs::write(&ingest, "in the way").unwrap();
    let bytes = noise(100, 1);
    let blob = describe(&bytes);
    let stalled = Faulty::new(bytes, [Fault::Stall(10)]);
    let source = Source::new(&stalled, blob.clone(), &Job::default());
    let put = tokio::time::timeout(Duration::from_secs(20), store.put(&blob, &source));
    let error = put.await.unwrap().unwrap_err();
    assert!(error.to_string().ends_with("ingest: it is not a folder"), "{error}");
}
