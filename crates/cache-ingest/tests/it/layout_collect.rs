//! Collecting garbage in a layout: what is deleted, what stays and why, and other programs that write meanwhile.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cache_ingest::{
    CollectOptions, Collected, Error, ErrorKind, Event, Expect, Hasher, Ingester, Job, LayoutOptions,
    LayoutStore, Name, Publisher, Remover, Resolver, Source, Step, Stored,
};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};

use crate::faults::noise;
use crate::whole::names;

const HOUR: Duration = Duration::from_secs(3600);

/// A layout whose blobs are all two hours old, unless they are touched.
struct Layout {
    folder: tempfile::TempDir,
    store: LayoutStore,
}

impl Layout {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LayoutOptions::create().with_sync(false).with_lock_wait(Duration::from_millis(100));
        let store = LayoutStore::open(folder.path(), options).await.unwrap();
        Self { folder, store }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.path("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    fn has(&self, blob: &Descriptor) -> bool {
        self.blob(&blob.digest).is_file()
    }

    /// Puts a blob, and makes it two hours old.
    async fn put(&self, media_type: &str, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let blob = of(Algorithm::Sha256, media_type, &bytes);
        self.store.put(&blob, &Source::from_bytes(blob.clone(), bytes)).await.unwrap();
        self.age(&blob, 2 * HOUR);
        blob
    }

    fn age(&self, blob: &Descriptor, age: Duration) {
        age_file(&self.blob(&blob.digest), age);
    }

    /// An image of a config and layers, with a subject.
    async fn image(
        &self,
        config: &Descriptor,
        layers: &[&Descriptor],
        subject: Option<&Descriptor>,
    ) -> Descriptor {
        let manifest = manifest(config, layers, subject);
        self.put("application/vnd.oci.image.manifest.v1+json", manifest).await
    }

    async fn layer(&self, seed: u8) -> Descriptor {
        self.put("application/vnd.oci.image.layer.v1.tar", noise(500, seed)).await
    }

    /// A named image of one layer: the manifest, the config and the layer.
    async fn tagged(&self, tag: &str, seed: u8) -> [Descriptor; 3] {
        let config = self.put("application/vnd.buildkit.cacheconfig.v0", format!("{{\"n\":{seed}}}")).await;
        let layer = self.layer(seed).await;
        let image = self.image(&config, &[&layer], None).await;
        self.name(tag, &image).await;
        [image, config, layer]
    }

    async fn name(&self, tag: &str, manifest: &Descriptor) {
        let bytes = fs::read(self.blob(&manifest.digest)).unwrap().into();
        self.store.publish(&Name::Tag(tag.into()), manifest, bytes, Expect::Any).await.unwrap();
    }

    async fn try_collect(&self, options: CollectOptions) -> Result<Collected, Error> {
        self.store.collect(options, &Job::default()).await
    }

    async fn collect(&self) -> Collected {
        self.try_collect(quickly()).await.unwrap()
    }

    /// Everything in the layout.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = ["", "blobs/sha256", "blobs/sha512", "ingest"]
            .iter()
            .flat_map(|folder| {
                names(&self.path(folder)).into_iter().map(move |name| format!("{folder}/{name}"))
            })
            .collect();
        files.sort();
        files
    }
}

fn quickly() -> CollectOptions {
    CollectOptions::default().with_settle(Duration::ZERO)
}

fn of(algorithm: Algorithm, media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Hasher::digest(algorithm, bytes);
    Descriptor::new(MediaType::new(media_type), digest, bytes.len() as u64)
}

/// Changes the age of a file or a folder.
fn age_file(path: &Path, age: Duration) {
    let mut options = File::options();
    options.read(true);
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // FILE_WRITE_ATTRIBUTES; FILE_FLAG_BACKUP_SEMANTICS, for a folder.
        options.access_mode(0x100).custom_flags(0x0200_0000);
    }
    options.open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

fn json(blob: &Descriptor) -> String {
    String::from_utf8(blob.json()).unwrap()
}

fn manifest(config: &Descriptor, layers: &[&Descriptor], subject: Option<&Descriptor>) -> String {
    let layers: Vec<String> = layers.iter().map(|layer| json(layer)).collect();
    let subject = subject.map(|subject| format!(",\"subject\":{}", json(subject))).unwrap_or_default();
    format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]{subject}}}"#, json(config), layers.join(","))
}

/// Writes a file as containerd's store does: staged in a folder of its own, then renamed. Half done, it is an upload.
fn begin_upload(layout: &Layout) -> PathBuf {
    let upload = layout.path("ingest/0123abcd");
    fs::create_dir_all(&upload).unwrap();
    for (name, text) in [("ref", "layer-1"), ("data", "half a la"), ("startedat", "2026")] {
        fs::write(upload.join(name), text).unwrap();
    }
    upload
}

/// Names a manifest as BuildKit does: the index is rewritten in place.
fn name_in_place(layout: &Layout, tag: &str, manifest: &Descriptor) {
    let entry = manifest.clone().with_annotation("org.opencontainers.image.ref.name", tag);
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, json(&entry));
    fs::write(layout.path("index.json"), text).unwrap();
}

#[tokio::test]
async fn blobs_that_no_name_leads_to_are_deleted_and_all_others_stay() {
    let layout = Layout::new().await;
    let stays = layout.tagged("main", 1).await;
    let goes = layout.tagged("old", 2).await;
    layout.store.remove_name(&Name::Tag("old".into())).await.unwrap();
    let collected = layout.collect().await;
    assert!(stays.iter().all(|blob| layout.has(blob)));
    assert!(goes.iter().all(|blob| !layout.has(blob)));
    let bytes = |blobs: &[Descriptor]| blobs.iter().map(|blob| blob.size).sum::<u64>();
    assert_eq!((collected.deleted().blobs, collected.deleted().bytes), (3, bytes(&goes)));
    assert_eq!((collected.named.blobs, collected.named.bytes), (3, bytes(&stays)));
    assert!(collected.blobs.is_sorted_by(|a, b| a.size >= b.size), "largest first");
    assert_eq!(layout.collect().await.deleted().blobs, 0, "nothing is left to delete");
    assert_eq!(names(&layout.path("ingest")), [] as [&str; 0]);
}

#[tokio::test]
async fn whatever_a_document_names_stays_at_any_depth() {
    let layout = Layout::new().await;
    let config = layout.put("application/vnd.oci.image.config.v1+json", "{}").await;
    let layers = [layout.layer(1).await, layout.layer(2).await, layout.layer(3).await];
    let subject = layout.image(&config, &[&layers[0]], None).await;
    let signature = layout.image(&config, &[&layers[1]], Some(&subject)).await;
    // Another program's manifest, with members that are unknown here, and a digest of the other algorithm.
    let sha512 = of(Algorithm::Sha512, "x", b"long");
    layout.store.put(&sha512, &Source::from_bytes(sha512.clone(), "long")).await.unwrap();
    layout.age(&sha512, 2 * HOUR);
    let artifact = format!(r#"{{"blobs":[{}],"x":["{}"]}}"#, json(&sha512), layers[2].digest);
    let artifact = layout.put("application/vnd.oci.artifact.manifest.v1+json", artifact).await;
    let inner = format!(r#"{{"manifests":[{},{}]}}"#, json(&signature), json(&artifact));
    let inner = layout.put("application/vnd.oci.image.index.v1+json", inner).await;
    let absent = of(Algorithm::Sha256, "application/vnd.oci.image.manifest.v1+json", b"another platform");
    let outer = format!(r#"{{"manifests":[{},{}]}}"#, json(&absent), json(&inner));
    let outer = layout.put("application/vnd.oci.image.index.v1+json", outer).await;
    layout.name("main", &outer).await;
    let garbage = layout.layer(9).await;
    assert_eq!(layout.collect().await.named.blobs, 10);
    for blob in layers.iter().chain([&config, &subject, &signature, &sha512, &artifact, &inner, &outer]) {
        assert!(layout.has(blob), "{}", blob.digest);
    }
    assert!(!layout.has(&garbage));
}

#[tokio::test]
async fn young_blobs_stay_with_everything_that_they_name() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    // An export that found two old blobs, wrote its manifest, and has not named it yet.
    let config = layout.put("application/vnd.buildkit.cacheconfig.v0", "{}").await;
    let (found, garbage) = (layout.layer(2).await, layout.layer(3).await);
    let image = layout.image(&config, &[&found], None).await;
    layout.age(&image, HOUR / 2);
    let collected = layout.collect().await;
    assert!([&image, &config, &found].iter().all(|blob| layout.has(blob)));
    assert!(!layout.has(&garbage));
    assert_eq!((collected.young.blobs, collected.deleted().blobs), (3, 1));
    // A clock that was set back makes a blob as young as can be.
    let tomorrow = layout.layer(4).await;
    File::open(layout.blob(&tomorrow.digest)).unwrap().set_modified(SystemTime::now() + 24 * HOUR).unwrap();
    assert_eq!(layout.try_collect(quickly().with_older_than(Duration::ZERO)).await.unwrap().young.blobs, 1);
    assert!(layout.has(&tomorrow) && !layout.has(&image));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_deleted_and_changes_nothing() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    layout.layer(2).await;
    age_file(&begin_upload(&layout).join("data"), Duration::ZERO);
    fs::write(layout.path("ingest/bkcache-0123456789abcdef"), "a remain").unwrap();
    let before = layout.files();
    let told = layout.try_collect(quickly().with_dry_run(true)).await.unwrap();
    assert_eq!((told.deleted().blobs, told.deferred.blobs, told.leftovers.len()), (0, 1, 1));
    fs::remove_dir_all(layout.path("ingest/0123abcd")).unwrap();
    let told = layout.try_collect(quickly().with_dry_run(true)).await.unwrap();
    assert_eq!((told.deleted().blobs, told.leftovers.len()), (1, 1));
    begin_upload(&layout);
    assert_eq!(layout.files(), before);
    fs::remove_dir_all(layout.path("ingest/0123abcd")).unwrap();
    assert_eq!(layout.collect().await, told);
}

#[tokio::test]
async fn a_document_that_cannot_be_read_ends_it_and_nothing_is_deleted() {
    let long = format!("{{{}}}", " ".repeat(1000));
    for (what, kind, content) in [
        ("its content is damaged", ErrorKind::Corrupt, Some("{}")),
        ("it is not a JSON document", ErrorKind::Corrupt, Some("\0")),
        ("it is missing", ErrorKind::NotFound, None),
        ("above the limit of 500 bytes", ErrorKind::TooLarge, Some(&*long)),
    ] {
        let layout = Layout::new().await;
        let [image, ..] = layout.tagged("main", 1).await;
        let garbage = layout.layer(2).await;
        fs::remove_file(layout.blob(&image.digest)).unwrap();
        if let Some(content) = content {
            fs::write(layout.blob(&image.digest), content).unwrap();
        }
        let options = LayoutOptions::default().with_max_metadata(500);
        let store = LayoutStore::open(layout.folder.path(), options).await.unwrap();
        let error = store.collect(quickly(), &Job::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.subject()), (kind, image.digest.to_string().as_str()), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().contains("nothing is deleted"), "{error}");
        assert!(layout.has(&garbage));
    }
}

#[tokio::test]
async fn a_config_that_is_json_has_to_be_readable_and_a_layer_has_not() {
    let layout = Layout::new().await;
    let config = layout.put("application/vnd.oci.image.config.v1+json", "{}").await;
    let layer = layout.put("application/octet-stream", "{ this begins as JSON").await;
    let image = layout.image(&config, &[&layer], None).await;
    layout.name("main", &image).await;
    layout.layer(1).await;
    fs::remove_file(layout.blob(&config.digest)).unwrap();
    assert_eq!(layout.collect().await.deleted().blobs, 1, "a config that is missing leads nowhere");
    fs::write(layout.blob(&config.digest), "{]").unwrap();
    let error = layout.try_collect(quickly()).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("read {}: its content is damaged", config.digest)),
        "{error}"
    );
}

#[tokio::test]
async fn an_index_that_is_missing_or_names_nothing_sound_ends_it() {
    let layout = Layout::new().await;
    let garbage = layout.layer(1).await;
    let store = LayoutStore::open(layout.folder.path(), LayoutOptions::default()).await.unwrap();
    let error = store.collect(quickly(), &Job::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    // Of a store that may make the layout, an absent index would have no entries.
    let error = layout.try_collect(quickly()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    fs::write(layout.path("index.json"), r#"{"manifests":[{"digest":"sha384:x","size":1}]}"#).unwrap();
    assert_eq!(layout.try_collect(quickly()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    fs::write(layout.path("index.json"), "{\"manif").unwrap();
    assert_eq!(layout.try_collect(quickly()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(layout.has(&garbage));
    fs::write(layout.path("index.json"), r#"{"manifests":[]}"#).unwrap();
    assert_eq!(layout.collect().await.deleted().blobs, 1);
}

#[tokio::test]
async fn while_another_program_uploads_no_blob_is_deleted() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let upload = begin_upload(&layout);
    // Its youngest file counts.
    for file in ["ref", "startedat"] {
        age_file(&upload.join(file), 3 * HOUR);
    }
    let collected = layout.collect().await;
    assert_eq!((collected.deleted().blobs, collected.deferred.blobs), (0, 1));
    assert_eq!(collected.upload.as_deref(), Some(upload.as_path()));
    assert!(layout.has(&garbage) && upload.join("data").exists() && collected.leftovers.is_empty());
    age_file(&upload.join("data"), 3 * HOUR);
    age_file(&upload, 3 * HOUR);
    let collected = layout.collect().await;
    assert_eq!((collected.deleted().blobs, collected.leftovers.len(), collected.upload), (1, 1, None));
    assert_eq!(collected.leftovers[0].bytes, 20);
    assert!(!upload.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_a_symbolic_link_ends_it_since_its_files_may_belong_to_others() {
    for folder in ["ingest", "blobs/sha256", "blobs"] {
        let layout = Layout::new().await;
        layout.tagged("main", 1).await;
        let unnamed = layout.layer(9).await;
        let outside = tempfile::tempdir().unwrap();
        let moved = outside.path().join("of others");
        fs::rename(layout.path(folder), &moved).unwrap();
        std::os::unix::fs::symlink(&moved, layout.path(folder)).unwrap();
        let foreign = moved.join("a file");
        fs::write(&foreign, "of others").unwrap();
        age_file(&foreign, 2 * HOUR);
        let error = layout.store.collect(quickly(), &Job::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, "collect"), "{error}");
        assert_eq!(error.subject(), layout.path(folder).display().to_string());
        assert!(foreign.exists() && layout.has(&unnamed), "{folder}");
    }
}

#[tokio::test]
async fn what_has_not_the_shape_of_an_upload_stays() {
    let layout = Layout::new().await;
    let folder = layout.path("ingest/kept");
    fs::create_dir_all(folder.join("inner")).unwrap();
    fs::write(folder.join("notes"), "no upload").unwrap();
    let left = layout.path("ingest/left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("data"), "half").unwrap();
    layout.tagged("main", 1).await;
    for path in [folder.join("notes"), folder.join("inner"), folder.clone(), left.join("data"), left.clone()]
    {
        age_file(&path, 2 * HOUR);
    }
    let collected = layout.store.collect(quickly(), &Job::default()).await.unwrap();
    assert_eq!(collected.leftovers.iter().map(|found| &found.path).collect::<Vec<_>>(), [&left]);
    assert!(folder.join("notes").exists() && !left.exists());
}

#[tokio::test]
async fn our_own_leftovers_go_unless_a_process_has_locked_them() {
    let layout = Layout::new().await;
    let [_, _, layer] = layout.tagged("main", 1).await;
    let ingest = |name: &str| layout.path("ingest").join(name);
    let stored = format!("bkcache-part-sha256-{}", layer.digest.hex());
    let part = |seed: u8| format!("bkcache-part-sha256-{}", of(Algorithm::Sha256, "", &[seed]).digest.hex());
    for name in ["bkcache-remain", "bkcache-locked", &stored, &part(1), &part(2), "foreign"] {
        fs::write(ingest(name), "1234").unwrap();
    }
    age_file(&ingest(&part(2)), 25 * HOUR);
    age_file(&ingest("foreign"), 2 * HOUR);
    let locked = File::open(ingest("bkcache-locked")).unwrap();
    locked.lock().unwrap();
    let collected = layout.collect().await;
    let mut left = names(&layout.path("ingest"));
    left.sort();
    assert_eq!(left, ["bkcache-locked", &part(1)], "a part may be continued for a day");
    assert_eq!(collected.leftovers.len(), 4);
    assert!(collected.leftovers.iter().all(|leftover| leftover.bytes == 4));
}

/// Collects while something happens between the two looks.
async fn collect_while(layout: &Layout, happens: impl FnOnce()) -> Collected {
    let options = quickly().with_settle(Duration::from_millis(600));
    let store = layout.store.clone();
    let collecting = tokio::spawn(async move { store.collect(options, &Job::default()).await.unwrap() });
    let is_withdrawn = || names(&layout.path("ingest")).iter().any(|name| name.starts_with("bkcache-gc-"));
    while !is_withdrawn() {
        assert!(!collecting.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    happens();
    collecting.await.unwrap()
}

#[tokio::test]
async fn a_blob_that_another_program_names_meanwhile_is_put_back() {
    let layout = Layout::new().await;
    let [image, config, layer] = layout.tagged("main", 1).await;
    // It wrote this manifest long ago, lost its name, and names it again without writing anything.
    let again = layout.image(&config, &[&layer], Some(&image)).await;
    let garbage = layout.layer(2).await;
    let collected = collect_while(&layout, || name_in_place(&layout, "again", &again)).await;
    assert!([&image, &config, &layer, &again].iter().all(|blob| layout.has(blob)));
    assert!(!layout.has(&garbage));
    assert_eq!((collected.deleted().blobs, collected.deferred.blobs, collected.upload), (1, 1, None));
    assert_eq!(names(&layout.path("ingest")), [] as [&str; 0]);
}

#[tokio::test]
async fn blobs_are_put_back_when_another_program_begins_to_write_meanwhile() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let collected = collect_while(&layout, || drop(begin_upload(&layout))).await;
    assert!(layout.has(&garbage));
    assert_eq!((collected.deleted().blobs, collected.deferred.blobs), (0, 1));
    assert!(collected.upload.is_some());
}

#[tokio::test]
async fn an_export_that_found_a_blob_before_it_was_deleted_is_incomplete_and_stores_it_again() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let other = LayoutStore::open(layout.folder.path(), LayoutOptions::default()).await.unwrap();
    let bytes = noise(500, 2);
    let put = async || other.put(&garbage, &Source::from_bytes(garbage.clone(), bytes.clone())).await;
    assert_eq!(put().await.unwrap(), Stored::AlreadyPresent);
    layout.age(&garbage, 2 * HOUR);
    assert_eq!(layout.collect().await.deleted().blobs, 1);
    let config = of(Algorithm::Sha256, "application/vnd.buildkit.cacheconfig.v0", b"{}");
    other.put(&config, &Source::from_bytes(config.clone(), "{}")).await.unwrap();
    let text = manifest(&config, &[&garbage], None);
    let image = of(Algorithm::Sha256, "application/vnd.oci.image.manifest.v1+json", text.as_bytes());
    let name = Name::Tag("next".into());
    let publish = async || other.publish(&name, &image, text.clone().into(), Expect::Any).await;
    let error = publish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.to_string().contains(&garbage.digest.to_string()), "{error}");
    assert!(layout.store.resolve(&name).await.is_err());
    assert_eq!(put().await.unwrap(), Stored::Stored);
    publish().await.unwrap();
    assert_eq!(
        layout.try_collect(quickly().with_older_than(Duration::ZERO)).await.unwrap().deleted().blobs,
        0
    );
}

#[tokio::test]
async fn a_collection_that_was_interrupted_is_finished_by_the_next_one_and_a_copy_leaves_it_alone() {
    let layout = Layout::new().await;
    let [_, _, layer] = layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let withdrawn =
        |blob: &Descriptor| layout.path("ingest").join(format!("bkcache-gc-sha256-{}", blob.digest.hex()));
    for blob in [&layer, &garbage] {
        fs::rename(layout.blob(&blob.digest), withdrawn(blob)).unwrap();
    }
    // Another process clears the remains of killed ones before it writes.
    let other = LayoutStore::open(layout.folder.path(), LayoutOptions::default()).await.unwrap();
    let small = of(Algorithm::Sha256, "x", b"small");
    other.put(&small, &Source::from_bytes(small.clone(), "small")).await.unwrap();
    assert!(withdrawn(&layer).exists());
    let collected = layout.collect().await;
    assert!(layout.has(&layer) && !layout.has(&garbage));
    assert_eq!((collected.deleted().blobs, collected.deferred.blobs), (1, 1));
    // One that was stored again meanwhile is not replaced.
    fs::copy(layout.blob(&layer.digest), withdrawn(&layer)).unwrap();
    layout.collect().await;
    assert!(layout.has(&layer) && !withdrawn(&layer).exists());
}

#[tokio::test]
async fn a_collection_that_is_dropped_or_fails_leaves_every_blob_in_its_place() {
    let layout = Layout::new().await;
    let [image, ..] = layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let collecting = layout.try_collect(quickly().with_settle(HOUR));
    let dropped = tokio::time::timeout(Duration::from_millis(300), collecting).await;
    assert!(dropped.is_err() && layout.has(&garbage));
    // Another program writes a manifest that cannot be read while the collection waits.
    let options = quickly().with_settle(Duration::from_millis(600));
    let store = layout.store.clone();
    let collecting = tokio::spawn(async move { store.collect(options, &Job::default()).await });
    while layout.has(&garbage) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let damaged = of(Algorithm::Sha256, "application/vnd.oci.image.manifest.v1+json", b"{\"a\":1}");
    fs::write(layout.blob(&damaged.digest), "{\"a\":2}").unwrap();
    name_in_place(&layout, "other", &damaged);
    let error = collecting.await.unwrap().unwrap_err();
    assert_eq!(error.subject(), damaged.digest.to_string());
    assert!(layout.has(&garbage) && layout.has(&image));
    assert_eq!(names(&layout.path("ingest")), [] as [&str; 0]);
}

#[tokio::test]
async fn a_lock_that_another_process_holds_ends_it() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let lock = File::create(layout.path("index.json.lock")).unwrap();
    lock.lock().unwrap();
    let error = layout.try_collect(quickly()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("another process holds the lock"), "{error}");
    assert!(layout.has(&garbage));
    assert_eq!(layout.try_collect(quickly().with_dry_run(true)).await.unwrap().deleted().blobs, 1);
    drop(lock);
    assert_eq!(layout.collect().await.deleted().blobs, 1);
}

#[tokio::test]
async fn each_deletion_is_an_event() {
    let layout = Layout::new().await;
    layout.tagged("main", 1).await;
    let garbage = layout.layer(2).await;
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = heard.clone();
    let job = Job::default().with_progress(move |event: &Event<'_>| {
        assert!(!matches!(event, Event::Finished { step, .. } if *step != Step::Delete));
        hears.lock().unwrap().push(event.to_string());
    });
    layout.store.collect(quickly(), &job).await.unwrap();
    let expected = [
        "1 blobs of 500 bytes to do".to_owned(),
        format!("deleting {} of 500 bytes", garbage.digest),
        format!("deleting {} deleted", garbage.digest),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn names_are_removed_alone_and_an_ambiguous_one_not_at_all() {
    let layout = Layout::new().await;
    let [image, ..] = layout.tagged("main", 1).await;
    for name in ["stable", "example.com/a:v1", "example.com/b:v1", "v2", "example.com/c:v2"] {
        layout.name(name, &image).await;
    }
    let remove = async |name: &str| layout.store.remove_name(&Name::Tag(name.into())).await;
    let error = remove("v1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let error = remove("v9").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("the tags are: "), "{error}");
    for name in ["example.com/a:v1", "v1", "v2", "main"] {
        remove(name).await.unwrap();
    }
    let listed: Vec<_> = layout.store.entries().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| entry.image_name().or(entry.tag()).unwrap()).collect();
    assert_eq!(listed, ["stable", "example.com/c:v2"]);
    layout.store.remove_name(&Name::Digest(image.digest)).await.unwrap();
    assert!(layout.store.entries().await.unwrap().is_empty());
    let error = layout.store.remove_name(&Name::Unspecified).await.unwrap_err();
    assert!(error.to_string().contains("there are no tags"), "{error}");
}
