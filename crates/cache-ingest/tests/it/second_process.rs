//! Two processes on one layout: one that is killed at any moment, and one that holds the lock.
//!
//! The other process is this test program again, which runs one test only and is told its part by the environment.

use std::fs;
use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, DiskHook, DiskOperation, Error, ErrorKind, Expect, Info, Ingester, Job, LayoutOptions,
    LayoutStore, Provider, Source,
};
use cache_model::Descriptor;
use futures_util::{StreamExt, stream};

use crate::faults::{describe, noise};
use crate::whole::{check, names};

/// Names the part that the other process plays.
const PART: &str = "BKCACHE_TEST_PART";
/// The folder that it works in: `cache` is the layout, `log` what it tells.
const FOLDER: &str = "BKCACHE_TEST_FOLDER";
/// A name for the tags of one run.
const RUN: &str = "BKCACHE_TEST_RUN";
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
const KILLS: u32 = 36;

/// The other process; it is killed when this is dropped.
struct Other(Child);

impl Other {
    fn start(part: &str, folder: &Path, run: u32) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "second_process::the_other_process", "--nocapture"])
            .env(PART, part)
            .env(FOLDER, folder)
            .env(RUN, run.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has told something.
    fn wait_for_log(&mut self, folder: &Path) {
        let began = Instant::now();
        while log(folder).is_empty() {
            assert!(self.0.try_wait().unwrap().is_none(), "it ended early");
            assert!(began.elapsed() < PATIENCE, "it tells nothing");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The whole lines that the other process has written.
fn log(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("log")).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

#[test]
fn the_other_process() {
    let Some(part) = std::env::var_os(PART) else { return };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let run: u32 = std::env::var(RUN).unwrap().parse().unwrap();
    let mut log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut tell = |line: &str| log.write_all(format!("{line}\n").as_bytes()).unwrap();
    if part == "hold" {
        let lock = fs::File::create(folder.join("cache/index.json.lock")).unwrap();
        lock.try_lock().unwrap();
        tell("locked");
        // Until the first process closes the pipe, or ends.
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let store = LayoutStore::open(folder.join("cache"), LayoutOptions::create()).await.unwrap();
        let began = Instant::now();
        for n in 0.. {
            // Should the first process have ended without killing this one.
            assert!(began.elapsed() < PATIENCE, "nobody killed this process");
            let tag = format!("run{run}-{n}");
            publish(&store, &tag).await.unwrap();
            tell(&tag);
        }
    });
}

/// Gives its bytes slowly, so that most of the time something is staged.
struct Slow(Bytes);

#[async_trait]
impl Provider for Slow {
    async fn info(&self, _: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(self.0.len() as u64))
    }

    async fn open(&self, _: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        let chunks: Vec<_> = rest.chunks(4096).map(Bytes::copy_from_slice).map(Ok).collect();
        Ok(Box::pin(stream::iter(chunks).then(|chunk| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            chunk
        })))
    }
}

/// Stores the layer of a tag.
async fn put_layer(store: &LayoutStore, tag: &str) -> Result<Descriptor, Error> {
    let layer = Bytes::from([tag.as_bytes(), &noise(16_000, 1)].concat());
    let blob = describe(&layer);
    store.put(&blob, &Source::new(&Slow(layer), blob.clone(), &Job::default())).await?;
    Ok(blob)
}

/// Stores a layer, and then publishes a manifest that names it.
async fn publish(store: &LayoutStore, tag: &str) -> Result<(), Error> {
    let blob = put_layer(store, tag).await?;
    crate::whole::publish(store, tag, &[&blob], Expect::Absent).await.map(|_| ())
}

/// The parts of blobs in a layout.
fn parts(cache: &Path) -> Vec<PathBuf> {
    let ingest = cache.join("ingest");
    let names = names(&ingest).into_iter().filter(|name| name.starts_with("bkcache-part-"));
    names.map(|name| ingest.join(name)).collect()
}

fn random(below: u64) -> u64 {
    RandomState::new().build_hasher().finish() % below
}

#[tokio::test]
async fn a_process_that_is_killed_at_any_moment_leaves_a_whole_layout() {
    let lasting = tempfile::tempdir().unwrap();
    let (mut killed_while_staging, mut resumed, mut published) = (0, 0, 0);
    for run in 0..KILLS {
        // Every third one is killed while it starts and makes the layout, the others once they have published.
        let fresh = (run % 3 == 0).then(|| tempfile::tempdir().unwrap());
        let folder = fresh.as_ref().unwrap_or(&lasting).path();
        fs::remove_file(folder.join("log")).ok();
        let mut other = Other::start("publish", folder, run);
        if fresh.is_none() {
            other.wait_for_log(folder);
        }
        tokio::time::sleep(Duration::from_micros(random(40_000))).await;
        other.kill();

        let cache = folder.join("cache");
        let tags = check(&cache).await;
        let told = log(folder);
        assert!(told.iter().all(|tag| tags.contains(tag)), "of {told:?} there are only {tags:?}");
        published += told.len();
        killed_while_staging += usize::from(!names(&cache.join("ingest")).is_empty());

        let store = LayoutStore::open(&cache, LayoutOptions::create()).await.unwrap();
        let parts = parts(&cache);
        // The layer that was under way; the part is that of no other.
        put_layer(&store, &format!("run{run}-{}", told.len())).await.unwrap();
        resumed += parts.len();
        assert!(parts.iter().all(|part| !part.exists()), "it is continued");
        check(&cache).await;
        publish(&store, &format!("after{run}")).await.unwrap();
        assert!(names(&cache.join("ingest")).is_empty(), "what was staged is cleared");
        assert_eq!(check(&cache).await.len(), tags.len() + 1);
    }
    assert!(killed_while_staging > 0 && published >= 24, "{killed_while_staging} and {published}");
    assert_eq!(resumed > 0, cfg!(unix), "on Unix a kill leaves a part, elsewhere there are none");
}

#[tokio::test]
async fn a_lock_that_another_process_holds_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        LayoutStore::open(folder.path().join("cache"), LayoutOptions::create().with_lock_wait(PATIENCE))
            .await
            .unwrap();
    let mut other = Other::start("hold", folder.path(), 0);
    other.wait_for_log(folder.path());
    let options = LayoutOptions::default().with_lock_wait(Duration::from_millis(50));
    let impatient = LayoutStore::open(folder.path().join("cache"), options).await.unwrap();
    let began = Instant::now();
    let error = publish(&impatient, "a").await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(50) && began.elapsed() < PATIENCE / 2, "it is a bound");
    let told =
        "index.json.lock: another process holds the lock, for 50ms now; try again when it has finished";
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().ends_with(told), "{error}");
    let waiting = tokio::spawn(async move { publish(&store, "a").await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!waiting.is_finished());
    drop(other.0.stdin.take());
    waiting.await.unwrap().unwrap();
    assert_eq!(check(&folder.path().join("cache")).await, ["a"]);
    assert!(other.0.wait().unwrap().success());
}

/// Sees from outside whether the lock is taken when the index is replaced.
struct Outside(AtomicBool);

impl Outside {
    fn may_lock(lock: &Path) -> bool {
        // The program of util-linux, which calls flock(2), as BuildKit does.
        let status = Command::new("flock").arg("--nonblock").arg(lock).arg("true").status();
        status.unwrap().success()
    }
}

impl DiskHook for Outside {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        if let DiskOperation::Rename { to, .. } = operation
            && to.ends_with("index.json")
        {
            self.0.store(!Self::may_lock(&to.with_file_name("index.json.lock")), Ordering::SeqCst);
        }
        work()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_is_the_one_that_flock_takes() {
    if Command::new("flock").arg("--version").output().is_err() {
        assert!(std::env::var_os("BKCACHE_REQUIRE_PEERS").is_none(), "flock is missing");
        eprintln!("skipped: flock is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("index.json.lock");
    let outside = Arc::new(Outside(AtomicBool::new(false)));
    let store =
        LayoutStore::open(folder.path(), LayoutOptions::create().with_hook(outside.clone())).await.unwrap();
    publish(&store, "a").await.unwrap();
    assert!(outside.0.load(Ordering::SeqCst), "nobody else has it while the index is replaced");
    assert!(Outside::may_lock(&lock), "it is given back");

    let mut flock = Command::new("flock");
    flock.arg(&lock).args(["sh", "-c", "echo locked; cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = Other(flock.spawn().unwrap());
    let mut told = [0; 7];
    holder.0.stdout.take().unwrap().read_exact(&mut told).unwrap();
    let options =
        LayoutOptions::default().with_hook(outside.clone()).with_lock_wait(Duration::from_millis(50));
    let impatient = LayoutStore::open(folder.path(), options).await.unwrap();
    assert_eq!(publish(&impatient, "b").await.unwrap_err().kind(), ErrorKind::Conflict);
    drop(holder.0.stdin.take());
    holder.0.wait().unwrap();
    publish(&impatient, "b").await.unwrap();
}
