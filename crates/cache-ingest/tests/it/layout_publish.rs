//! Publishing in a layout: one entry replaced, all others kept to the byte, under a lock that is waited for.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_ingest::{
    Error, ErrorKind, Expect, Job, LayoutOptions, LayoutStore, Name, ProviderExt, Publisher, Resolver,
};
use cache_model::{Descriptor, MediaType};

use crate::faults::describe;

async fn layout(path: &Path) -> LayoutStore {
    LayoutStore::open(path, LayoutOptions::create().with_sync(false)).await.unwrap()
}

fn manifest(n: u32) -> (Descriptor, Bytes) {
    let bytes = format!(r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","n":{n}}}"#);
    let mut descriptor = describe(bytes.as_bytes());
    descriptor.media_type = MediaType::OCI_MANIFEST;
    (descriptor, bytes.into())
}

async fn publish(store: &LayoutStore, tag: &str, n: u32, expect: Expect) -> Result<(), Error> {
    let (descriptor, bytes) = manifest(n);
    store.publish(&Name::Tag(tag.into()), &descriptor, bytes, expect).await
}

/// A layout whose publishes wait so long for others.
async fn waiting(path: &Path, wait: Duration) -> LayoutStore {
    let options = LayoutOptions::create().with_sync(false).with_lock_wait(wait);
    LayoutStore::open(path, options).await.unwrap()
}

fn index(folder: &Path) -> String {
    fs::read_to_string(folder.join("index.json")).unwrap()
}

fn entry(n: u32, annotations: &str) -> String {
    let (descriptor, _) = manifest(n);
    let text = String::from_utf8(descriptor.json()).unwrap();
    format!(r#"{},"annotations":{{{annotations}}}}}"#, text.strip_suffix('}').unwrap())
}

fn tagged(n: u32, tag: &str) -> String {
    entry(n, &format!(r#""org.opencontainers.image.ref.name":"{tag}""#))
}

fn with_entries(entries: &[String]) -> String {
    let head = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
    format!("{head}{}]}}", entries.join(","))
}

#[tokio::test]
async fn a_tag_that_is_put_again_loses_its_entry_and_the_new_one_comes_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    for (tag, n) in [("a", 1), ("b", 2), ("a", 3)] {
        publish(&store, tag, n, Expect::Any).await.unwrap();
    }
    assert_eq!(index(folder.path()), with_entries(&[tagged(2, "b"), tagged(3, "a")]));
    let (descriptor, bytes) = manifest(3);
    let resolved = store.resolve(&Name::Tag("a".into())).await.unwrap().descriptor;
    assert_eq!(resolved.digest, descriptor.digest);
    assert_eq!(store.read(&resolved, &Job::default()).await.unwrap(), bytes);
    assert!(
        store.resolve(&Name::Digest(manifest(1).0.digest)).await.is_ok(),
        "the old manifest is still a blob"
    );
}

#[tokio::test]
async fn foreign_entries_and_members_are_kept_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let odd = r#"{ "size": 1e0, "digest": "sha384:x", "later": [1, {"k": "\u00e9\/"}] }"#.replace("1e0", "1");
    let text = format!(
        r#"{{"annotations":{{"k":"<v>"}},"manifests":[{odd},{}],"x-unknown":[ 1, 2 ]}}"#,
        tagged(1, "a")
    );
    fs::write(folder.path().join("index.json"), text).unwrap();
    publish(&store, "a", 2, Expect::Any).await.unwrap();
    let want = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","annotations":{{"k":"<v>"}},"manifests":[{odd},{}],"x-unknown":[ 1, 2 ]}}"#,
        tagged(2, "a")
    );
    assert_eq!(index(folder.path()), want);
}

#[tokio::test]
async fn missing_and_empty_members_are_set_as_buildkit_sets_them() {
    for before in
        ["", "{}", r#"{"schemaVersion":0,"mediaType":"","manifests":null}"#, r#"{"schemaVersion":2}"#]
    {
        let folder = tempfile::tempdir().unwrap();
        let store = layout(folder.path()).await;
        fs::write(folder.path().join("index.json"), before).unwrap();
        publish(&store, "a", 1, Expect::Absent).await.unwrap();
        assert_eq!(index(folder.path()), with_entries(&[tagged(1, "a")]), "{before}");
    }
}

#[tokio::test]
async fn a_full_image_name_goes_with_its_tag_and_a_bare_tag_does_not_touch_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let full = "example.com:5000/app:v1";
    publish(&store, full, 1, Expect::Absent).await.unwrap();
    let names =
        r#""io.containerd.image.name":"example.com:5000/app:v1","org.opencontainers.image.ref.name":"v1""#;
    assert_eq!(index(folder.path()), with_entries(&[entry(1, names)]));
    publish(&store, "v1", 2, Expect::Any).await.unwrap();
    assert_eq!(index(folder.path()), with_entries(&[entry(1, names), tagged(2, "v1")]));
    // What was published under a name is what the name stands for.
    assert_eq!(store.resolve(&Name::Tag("v1".into())).await.unwrap().descriptor.digest, manifest(2).0.digest);
    assert_eq!(store.resolve(&Name::Tag(full.into())).await.unwrap().descriptor.digest, manifest(1).0.digest);
    publish(&store, full, 3, Expect::Digest(manifest(1).0.digest)).await.unwrap();
    assert_eq!(index(folder.path()), with_entries(&[tagged(2, "v1"), entry(3, names)]));
}

#[tokio::test]
async fn an_index_that_could_not_be_read_again_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let limit = 64 << 20;
    publish(&store, "a", 1, Expect::Any).await.unwrap();
    // Filled up to the limit, less the room of this tag.
    let room = tagged(2, "fits").len() + 1;
    let rest = index(folder.path()).strip_prefix('{').unwrap().to_owned();
    let filler = "x".repeat(limit - room - rest.len() - r#"{"x":"","#.len());
    fs::write(folder.path().join("index.json"), format!(r#"{{"x":"{filler}",{rest}"#)).unwrap();
    publish(&store, "fits", 2, Expect::Any).await.unwrap();
    assert_eq!(fs::metadata(folder.path().join("index.json")).unwrap().len(), limit as u64);
    let error = publish(&store, "b", 3, Expect::Any).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("publish to another folder, or take tags out of this one"), "{error}");
    assert_eq!(store.tags().await.unwrap(), ["a", "fits"], "they are there still");
    assert!(fs::read_dir(folder.path().join("ingest")).unwrap().next().is_none());
    publish(&store, "fits", 4, Expect::Any).await.unwrap();
}

#[tokio::test]
async fn names_of_another_place_do_not_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let (descriptor, bytes) = manifest(1);
    let named = descriptor
        .with_annotation("io.containerd.image.name", "other/app:x")
        .with_annotation("org.opencontainers.image.ref.name", "x");
    store.publish(&Name::Unspecified, &named, bytes, Expect::Absent).await.unwrap();
    assert_eq!(index(folder.path()), with_entries(&[tagged(1, "latest")]));
}

#[tokio::test]
async fn a_digest_is_published_without_a_tag_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let (descriptor, bytes) = manifest(1);
    let name = Name::Digest(descriptor.digest);
    for _ in 0..2 {
        store.publish(&name, &descriptor, bytes.clone(), Expect::Any).await.unwrap();
    }
    assert_eq!(index(folder.path()), with_entries(&[String::from_utf8(descriptor.json()).unwrap()]));
    assert_eq!(store.resolve(&Name::Unspecified).await.unwrap().descriptor, descriptor, "the only entry");
    assert_eq!(store.resolve(&name).await.unwrap().descriptor, descriptor);
}

#[tokio::test]
async fn nothing_changes_when_what_is_expected_is_not_met() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    let conflict = |result: Result<(), Error>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict);
    let (first, second) = (manifest(1).0.digest, manifest(2).0.digest);
    conflict(publish(&store, "a", 1, Expect::Digest(first)).await);
    assert!(!folder.path().join("index.json").exists());
    publish(&store, "a", 1, Expect::Absent).await.unwrap();
    let before = index(folder.path());
    conflict(publish(&store, "a", 2, Expect::Absent).await);
    conflict(publish(&store, "a", 2, Expect::Digest(second)).await);
    assert_eq!(index(folder.path()), before);
    publish(&store, "a", 2, Expect::Digest(first)).await.unwrap();
    for n in [1, 9] {
        // Whether or not the blob is there already.
        let wrong = store.publish(&Name::Tag("a".into()), &manifest(n).0, "{}".into(), Expect::Any).await;
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(publish(&store, "", 1, Expect::Any).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publish_at_once_and_no_entry_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let all = (0..24).map(|n| {
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            publish(&layout(&path).await, &format!("t{n}"), n, Expect::Absent).await.unwrap();
        })
    });
    for done in futures_util::future::join_all(all).await {
        done.unwrap();
    }
    let mut tags = layout(folder.path()).await.tags().await.unwrap();
    tags.sort();
    let mut want: Vec<_> = (0..24).map(|n| format!("t{n}")).collect();
    want.sort();
    assert_eq!(tags, want);
    assert_eq!(fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_many_swaps_from_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    publish(&layout(folder.path()).await, "a", 0, Expect::Absent).await.unwrap();
    let all = (1..12).map(|n| {
        let path = folder.path().to_owned();
        let expect = Expect::Digest(manifest(0).0.digest);
        tokio::spawn(async move { publish(&layout(&path).await, "a", n, expect).await })
    });
    let done: Vec<_> = futures_util::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(done.iter().filter_map(|r| r.as_ref().err()).all(|error| error.kind() == ErrorKind::Conflict));
}

#[tokio::test]
async fn a_lock_is_waited_for_and_the_wait_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let store = waiting(folder.path(), Duration::from_millis(150)).await;
    let path = folder.path().join("index.json.lock");
    let lock = fs::File::create(&path).unwrap();
    lock.try_lock().unwrap();
    let began = Instant::now();
    let error = publish(&store, "a", 1, Expect::Any).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("index.json.lock: another process holds the lock"), "{error}");
    assert!(!folder.path().join("index.json").exists());

    let store = waiting(folder.path(), Duration::from_secs(20)).await;
    let waiting = tokio::spawn(async move { publish(&store, "a", 1, Expect::Any).await });
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!waiting.is_finished());
    // BuildKit unlocks and then unlinks.
    drop(lock);
    fs::remove_file(&path).ok();
    waiting.await.unwrap().unwrap();
    assert_eq!(index(folder.path()), with_entries(&[tagged(1, "a")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_file_that_is_unlinked_all_the_time_loses_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.json.lock");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stopped, unlinked) = (stop.clone(), path.clone());
    let unlinker = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            // As BuildKit does: take the lock if it is free, give it back, unlink.
            if let Ok(file) = fs::File::create(&unlinked)
                && file.try_lock().is_ok()
            {
                drop(file);
                fs::remove_file(&unlinked).ok();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    for n in 0..40 {
        publish(&layout(folder.path()).await, &format!("t{n}"), n, Expect::Absent).await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    unlinker.join().unwrap();
    assert_eq!(layout(folder.path()).await.tags().await.unwrap().len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_the_old_or_the_new_entry_and_never_a_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    publish(&store, "a", 0, Expect::Any).await.unwrap();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 1..60 {
            publish(&writer, "a", n, Expect::Any).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let resolved = store.resolve(&Name::Tag("a".into())).await.unwrap().descriptor;
        store.read(&resolved, &Job::default()).await.unwrap();
    }
    writing.await.unwrap();
}

/// Leaves a text in `index.json` and, a while later, writes another one, as a process does that writes in place.
async fn rewrite(folder: &Path, torn: &str, whole: &str) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(index(folder), torn, "nothing was written meanwhile");
    fs::write(folder.join("index.json"), whole).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_being_written_in_place_is_waited_for_by_readers_and_publishers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.json");
    let store = waiting(folder.path(), Duration::ZERO).await;
    publish(&store, "a", 1, Expect::Any).await.unwrap();
    let whole = index(folder.path());
    for torn in ["", whole.strip_suffix("]}").unwrap()] {
        fs::write(&path, torn).unwrap();
        let name = Name::Tag("a".into());
        let resolving = store.resolve(&name);
        let (resolved, ()) =
            futures_util::future::join(resolving, rewrite(folder.path(), torn, &whole)).await;
        assert_eq!(resolved.unwrap().descriptor.digest, manifest(1).0.digest);

        fs::write(&path, torn).unwrap();
        let publishing = publish(&store, "b", 2, Expect::Absent);
        let (published, ()) =
            futures_util::future::join(publishing, rewrite(folder.path(), torn, &whole)).await;
        published.unwrap();
        assert_eq!(index(folder.path()), with_entries(&[tagged(1, "a"), tagged(2, "b")]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_that_stays_empty_has_no_entries_and_one_that_stays_cut_short_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    fs::write(folder.path().join("index.json"), r#"{"manifests":["#).unwrap();
    assert_eq!(store.tags().await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(publish(&store, "a", 1, Expect::Any).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(index(folder.path()), r#"{"manifests":["#, "it is left as it was");
    fs::write(folder.path().join("index.json"), "").unwrap();
    assert!(store.tags().await.unwrap().is_empty());
    publish(&store, "a", 1, Expect::Absent).await.unwrap();
    assert_eq!(index(folder.path()), with_entries(&[tagged(1, "a")]));
}

#[tokio::test]
async fn a_manifest_that_was_damaged_is_whole_again_when_it_is_published_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    publish(&store, "a", 1, Expect::Any).await.unwrap();
    let (descriptor, bytes) = manifest(1);
    let path = folder.path().join("blobs/sha256").join(descriptor.digest.hex());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "\0".repeat(bytes.len())).unwrap();
    publish(&store, "a", 1, Expect::Any).await.unwrap();
    assert_eq!(store.read(&descriptor, &Job::default()).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_reader_that_has_the_index_open_goes_on_reading_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = layout(folder.path()).await;
    publish(&store, "a", 1, Expect::Any).await.unwrap();
    let before = index(folder.path());
    let open = fs::File::open(folder.path().join("index.json")).unwrap();
    publish(&store, "a", 2, Expect::Any).await.unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), before, "it is replaced and not written in place");
}
