//! A put that was interrupted: the next one continues the part that it left, and trusts no byte of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use bytes::Bytes;
use cache_ingest::{
    DiskHook, DiskOperation, Error, ErrorKind, Expect, Ingester, Job, LayoutOptions, LayoutStore, Source,
    Step, Stored, copy,
};
use cache_model::Descriptor;

use crate::faults::{Fault, Faulty, Heard, describe, job_hearing, mismatch, noise, options};
use crate::whole::{self, names};

const SIZE: usize = 2000;

/// A layout in a temporary folder, and a blob to be put.
struct Scene {
    folder: tempfile::TempDir,
    store: LayoutStore,
    bytes: Bytes,
    blob: Descriptor,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let bytes = noise(SIZE, 1);
        let blob = describe(&bytes);
        // Prepares the folder.
        let first = describe(b"first");
        store.put(&first, &Source::from_bytes(first.clone(), "first")).await.unwrap();
        Self { folder, store, bytes, blob }
    }

    fn ingest(&self) -> PathBuf {
        self.folder.path().join("ingest")
    }

    fn part(&self) -> PathBuf {
        self.ingest().join(format!("bkcache-part-sha256-{}", self.blob.digest.hex()))
    }

    fn stored(&self) -> PathBuf {
        self.folder.path().join("blobs/sha256").join(self.blob.digest.hex())
    }

    /// Puts the blob without retries, and gives the offsets that its source was opened at.
    async fn put(&self, faults: impl IntoIterator<Item = Fault>) -> (Result<Stored, Error>, Vec<u64>) {
        let provider = Faulty::new(self.bytes.clone(), faults);
        let put = copy(Step::Layer, &self.blob, &provider, &self.store, &options(0)).await;
        (put, provider.opened())
    }

    /// Puts the blob, which has to succeed; the offsets that its source was opened at.
    async fn put_whole(&self) -> Vec<u64> {
        let (put, opened) = self.put([]).await;
        assert_eq!(put.unwrap(), Stored::Stored);
        assert!(fs::read(self.stored()).unwrap() == self.bytes);
        opened
    }
}

async fn open(path: &Path) -> LayoutStore {
    LayoutStore::open(path, LayoutOptions::create().with_sync(false)).await.unwrap()
}

/// Drops a put once its source has given this number of bytes and stalls.
async fn drop_put_after(scene: &Scene, bytes: usize) {
    let provider = Faulty::new(scene.bytes.clone(), [Fault::Stall(bytes)]);
    let source = Source::new(&provider, scene.blob.clone(), &Job::default());
    let put = scene.store.put(&scene.blob, &source);
    assert!(tokio::time::timeout(Duration::from_millis(100), put).await.is_err());
    assert_eq!(provider.opened(), [0]);
    // The thread takes a moment to notice, and then unlocks its file.
    for _ in 0..500 {
        if fs::File::open(scene.part()).is_ok_and(|file| file.try_lock().is_ok()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still writing: {:?}", names(&scene.ingest()));
}

#[tokio::test]
async fn a_dropped_put_leaves_nothing_visible_and_the_next_one_reads_the_rest_only() {
    let scene = Scene::new().await;
    drop_put_after(&scene, 700).await;
    assert!(!scene.stored().exists());
    assert!(fs::read(scene.part()).unwrap() == scene.bytes[..700]);
    // A new process is no different.
    let scene = Scene { store: open(scene.folder.path()).await, ..scene };
    assert_eq!(scene.put_whole().await, [700]);
    assert!(names(&scene.ingest()).is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(scene.stored()).unwrap().permissions());
    assert_eq!(mode & 0o222, 0, "it is read-only, as every blob is");
}

#[tokio::test]
async fn a_put_whose_source_failed_is_continued_as_often_as_it_takes() {
    let scene = Scene::new().await;
    for (from, more) in [(0, 350), (350, 0), (350, 1050)] {
        let (put, opened) = scene.put([Fault::Break(more, ErrorKind::Unavailable)]).await;
        assert_eq!((put.unwrap_err().kind(), opened), (ErrorKind::Unavailable, vec![from]));
    }
    let heard = Heard::default();
    let provider = Faulty::new(scene.bytes.clone(), []);
    copy(Step::Layer, &scene.blob, &provider, &scene.store, &job_hearing(&options(0), &heard)).await.unwrap();
    assert_eq!((provider.opened(), heard.transferred()), (vec![1400], 600));
    assert_eq!(heard.steps(), ["started writing layer", "resumed 1400", "finished writing layer: Stored"]);
}

#[tokio::test]
async fn a_put_without_any_byte_leaves_no_part() {
    let scene = Scene::new().await;
    let (put, _) = scene.put([Fault::Refuse(ErrorKind::Unavailable)]).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(names(&scene.ingest()).is_empty());
}

#[tokio::test]
async fn a_part_with_wrong_bytes_is_thrown_away_and_the_blob_is_read_once_more() {
    let scene = Scene::new().await;
    let whole_but_wrong = noise(SIZE, 2);
    for (part, offset) in [(&whole_but_wrong[..700], 700), (&[0; 1][..], 1), (&whole_but_wrong[..], 2000)] {
        fs::write(scene.part(), part).unwrap();
        let (heard, provider) = (Heard::default(), Faulty::new(scene.bytes.clone(), []));
        let job = job_hearing(&options(0), &heard);
        copy(Step::Layer, &scene.blob, &provider, &scene.store, &job).await.unwrap();
        assert_eq!(provider.opened(), [offset, 0]);
        assert!(heard.steps().contains(&"attempt 2".to_owned()), "the bytes so far are void");
        assert!(fs::read(scene.stored()).unwrap() == scene.bytes);
        assert!(names(&scene.ingest()).is_empty());
        fs::remove_file(scene.stored()).unwrap();
    }
    // A source that is wrong as well is asked no third time.
    fs::write(scene.part(), &whole_but_wrong[..700]).unwrap();
    let provider = Faulty::new(noise(SIZE, 3), []);
    let source = Source::new(&provider, scene.blob.clone(), &Job::without_retries());
    mismatch(&scene.store.put(&scene.blob, &source).await.unwrap_err());
    assert_eq!(provider.opened(), [700, 0]);
    assert!(names(&scene.ingest()).is_empty() && !scene.stored().exists());
}

#[tokio::test]
async fn a_source_that_cannot_begin_at_an_offset_is_read_from_its_start() {
    let scene = Scene::new().await;
    for kind in [ErrorKind::Invalid, ErrorKind::Unsupported] {
        fs::write(scene.part(), &scene.bytes[..700]).unwrap();
        let (put, opened) = scene.put([Fault::Refuse(kind)]).await;
        assert_eq!((put.unwrap(), opened), (Stored::Stored, vec![700, 0]));
        fs::remove_file(scene.stored()).unwrap();
    }
    // Whether it may be read is not about the part.
    fs::write(scene.part(), &scene.bytes[..700]).unwrap();
    let (put, opened) = scene.put([Fault::Refuse(ErrorKind::Denied)]).await;
    assert_eq!((put.unwrap_err().kind(), opened), (ErrorKind::Denied, vec![700]));
    assert_eq!(fs::metadata(scene.part()).unwrap().len(), 700);
}

#[tokio::test]
async fn a_part_that_is_whole_is_verified_and_not_asked_for_and_one_that_is_longer_is_thrown_away() {
    let scene = Scene::new().await;
    fs::write(scene.part(), &scene.bytes).unwrap();
    assert_eq!(scene.put_whole().await, [0; 0]);
    fs::remove_file(scene.stored()).unwrap();
    fs::write(scene.part(), [&scene.bytes[..], b"x"].concat()).unwrap();
    assert_eq!(scene.put_whole().await, [0]);
    assert!(names(&scene.ingest()).is_empty());
}

#[tokio::test]
async fn a_part_that_another_process_writes_is_left_to_it() {
    let scene = Scene::new().await;
    fs::write(scene.part(), &scene.bytes[..700]).unwrap();
    let other = fs::File::open(scene.part()).unwrap();
    other.try_lock().unwrap();
    let (put, opened) = scene.put([Fault::Break(300, ErrorKind::Unavailable)]).await;
    assert_eq!((put.unwrap_err().kind(), opened), (ErrorKind::Unavailable, vec![0]));
    assert_eq!(names(&scene.ingest()).len(), 1, "a file of its own is no part");
    assert_eq!(scene.put_whole().await, [0]);
    assert!(fs::read(scene.part()).unwrap() == scene.bytes[..700]);
}

#[tokio::test]
async fn a_link_a_pipe_and_a_file_with_another_name_are_no_parts() {
    let scene = Scene::new().await;
    let secret = scene.folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let odd: [&dyn Fn(&Path); 4] = [
        &|part| std::os::unix::fs::symlink(&secret, part).unwrap(),
        &|part| fs::hard_link(&secret, part).unwrap(),
        &|part| assert!(std::process::Command::new("mkfifo").arg(part).status().unwrap().success()),
        &|part| fs::create_dir(part).unwrap(),
    ];
    for make in odd {
        make(&scene.part());
        assert_eq!(scene.put_whole().await, [0]);
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        fs::remove_file(scene.stored()).unwrap();
        fs::remove_file(scene.part()).or_else(|_| fs::remove_dir(scene.part())).unwrap();
    }
}

/// A copy that waits before it tries again has a part that no process has locked.
#[tokio::test]
async fn a_publish_removes_the_parts_of_stored_blobs_and_those_of_yesterday_unless_they_are_written() {
    let scene = Scene::new().await;
    let blob = describe(b"second");
    let part = |hex: &str| scene.ingest().join(format!("bkcache-part-sha256-{hex}"));
    let (old, written) = (part(&"0".repeat(64)), part(&"1".repeat(64)));
    let (stored, no_digest) = (part(blob.digest.hex().as_str()), part("x"));
    for part in [&scene.part(), &old, &written, &stored, &no_digest] {
        fs::write(part, &scene.bytes[..700]).unwrap();
    }
    let age = |path: &Path, hours: u64| {
        let then = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    };
    age(&scene.part(), 23);
    age(&old, 25);
    age(&written, 25);
    let locked = fs::File::open(&written).unwrap();
    locked.try_lock().unwrap();
    // A process that starts to write removes other staged files that nobody writes.
    let store = open(scene.folder.path()).await;
    store.put(&blob, &Source::from_bytes(blob.clone(), "second")).await.unwrap();
    assert_eq!(names(&scene.ingest()).len(), 5);
    whole::publish(&store, "a", &[&blob], Expect::Absent).await.unwrap();
    let is_left = [&scene.part(), &old, &written, &stored, &no_digest].map(|part| part.exists());
    assert_eq!(is_left, [true, false, true, false, false]);
}

/// Notes the operations on streams of blobs by their kinds, and can fail one kind of them.
struct Noting {
    fails: Option<&'static str>,
    noted: Mutex<Vec<&'static str>>,
}

impl DiskHook for Noting {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let kind = match operation {
            DiskOperation::SyncFile(_) => "sync",
            DiskOperation::Rename { .. } => "rename",
            DiskOperation::MakeReadOnly(path) if path.parent().unwrap().ends_with("ingest") => {
                "part read-only"
            }
            DiskOperation::MakeReadOnly(_) => "blob read-only",
            DiskOperation::Write { .. } => "write",
            _ => return work(),
        };
        self.noted.lock().unwrap().push(kind);
        if self.fails == Some(kind) { Err(io::ErrorKind::Unsupported.into()) } else { work() }
    }
}

impl Scene {
    /// Puts the blob on a disk with this hook, and gives the offsets that its source was opened at.
    async fn put_on(&self, hook: &Arc<Noting>) -> (Result<Stored, Error>, Vec<u64>) {
        let hooked = LayoutOptions::create().with_hook(hook.clone());
        let store = LayoutStore::open(self.folder.path(), hooked).await.unwrap();
        hook.noted.lock().unwrap().clear();
        let provider = Faulty::new(self.bytes.clone(), []).in_chunks_of(SIZE);
        let put = copy(Step::Layer, &self.blob, &provider, &store, &options(0)).await;
        (put, provider.opened())
    }
}

/// Its owner could not open it again, unless as root.
#[tokio::test]
async fn a_part_is_never_read_only_before_it_is_a_blob() {
    for fails in [None, Some("blob read-only")] {
        let scene = Scene::new().await;
        let hook = Arc::new(Noting { fails, noted: Mutex::default() });
        // A file system without such a permission stores blobs all the same.
        assert_eq!(scene.put_on(&hook).await.0.unwrap(), Stored::Stored, "{fails:?}");
        assert_eq!(*hook.noted.lock().unwrap(), ["write", "sync", "rename", "blob read-only"]);
        assert!(fs::read(scene.stored()).unwrap() == scene.bytes);
    }
}

#[tokio::test]
async fn an_error_of_the_disk_does_not_let_the_source_be_read_once_more() {
    let scene = Scene::new().await;
    fs::write(scene.part(), &scene.bytes[..700]).unwrap();
    let hook = Arc::new(Noting { fails: Some("write"), noted: Mutex::default() });
    let (put, opened) = scene.put_on(&hook).await;
    assert_eq!((put.unwrap_err().kind(), opened), (ErrorKind::Unsupported, vec![700]));
}
