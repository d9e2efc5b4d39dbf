//! A disk on which one operation fails, or all from one on: the copy ends in one clear error, what is visible is whole,
//! and the next copy succeeds.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cache_ingest::{
    DiskHook, DiskOperation, Error, ErrorKind, Expect, LayoutOptions, LayoutStore, Name, Provider, Resolver,
    Step, copy,
};
use cache_model::{Descriptor, Digest};
use rustix::io::Errno;

use crate::faults::{Faulty, describe, noise, options};
use crate::whole::{check, names, publish};

/// How an operation may fail.
const ERRORS: [(Errno, ErrorKind); 4] = [
    (Errno::NOSPC, ErrorKind::NoSpace),
    (Errno::IO, ErrorKind::Other),
    (Errno::ROFS, ErrorKind::Denied),
    (Errno::ACCESS, ErrorKind::Denied),
];

/// Lets the operations fail that have these numbers, counted from 0. A write that fails has written a half.
struct Broken {
    numbers: Range<usize>,
    errno: Errno,
    made: AtomicUsize,
    failures: Mutex<Failures>,
}

#[derive(Clone, Copy, Default)]
struct Failures {
    /// Of operations without which no copy is done.
    decisive: usize,
    removals: usize,
}

impl Broken {
    fn new(numbers: Range<usize>, errno: Errno) -> Arc<Self> {
        Arc::new(Self { numbers, errno, made: AtomicUsize::new(0), failures: Mutex::default() })
    }
}

impl DiskHook for Broken {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.numbers.contains(&self.made.fetch_add(1, Ordering::SeqCst)) {
            return work();
        }
        let denied = matches!(self.errno, Errno::ROFS | Errno::ACCESS);
        let mut failures = self.failures.lock().unwrap();
        match *operation {
            DiskOperation::Write { path, offset, .. } => {
                // Where blocks cannot be shared this fails by itself, and the bytes are copied.
                work()?;
                let written = fs::metadata(path)?.len() - offset;
                File::options().write(true).open(path)?.set_len(offset + written / 2)?;
                // Where they can, it is the same.
                failures.decisive += usize::from(offset > 0);
            }
            DiskOperation::Remove(_) => failures.removals += 1,
            // The blob is in its place by then.
            DiskOperation::MakeReadOnly(_) => {}
            // The name of a folder that was there before, in one that is not ours.
            DiskOperation::SyncFolder(path) if path == memory() && denied => {}
            _ => failures.decisive += 1,
        }
        Err(self.errno.into())
    }
}

/// Where a sync costs nothing.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// A cache of two layers, one of them in a file.
struct Cache {
    streamed: (Faulty, Descriptor),
    files: LayoutStore,
    filed: Descriptor,
    _folder: tempfile::TempDir,
}

impl Cache {
    async fn new() -> Self {
        let (streamed, filed) = (noise(9_000, 1), noise(20_000, 2));
        let folder = tempfile::tempdir().unwrap();
        let files = LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap();
        let blob = describe(&filed);
        fs::write(folder.path().join("blobs/sha256").join(blob.digest.hex()), &filed).unwrap();
        let described = describe(&streamed);
        let streamed = (Faulty::new(streamed, []).in_chunks_of(4_000), described);
        Self { streamed, files, filed: blob, _folder: folder }
    }

    fn layers(&self) -> [&Descriptor; 2] {
        [&self.streamed.1, &self.filed]
    }

    async fn copy(&self, to: &LayoutStore) -> Result<Digest, Error> {
        let from: [&dyn Provider; 2] = [&self.streamed.0, &self.files];
        for (layer, from) in self.layers().into_iter().zip(from) {
            copy(Step::Layer, layer, from, to, &options(0)).await?;
        }
        publish(to, "a", &self.layers(), Expect::Any).await
    }

    /// Makes the copy with a disk that is broken, and gives how many operations there were.
    async fn copy_to_broken(&self, root: &Path, disk: &Arc<Broken>) -> Result<Digest, Error> {
        self.copy(&LayoutStore::open(root, LayoutOptions::create().with_hook(disk.clone())).await?).await
    }
}

/// What is there before the copy: nothing, or another cache under the same tag and one under another.
async fn prepare(root: &Path, is_new: bool) -> Option<Digest> {
    if is_new {
        return None;
    }
    let store = LayoutStore::open(root, LayoutOptions::create()).await.unwrap();
    publish(&store, "old", &[], Expect::Any).await.unwrap();
    Some(publish(&store, "a", &[], Expect::Any).await.unwrap())
}

async fn tag_a(root: &Path) -> Option<Digest> {
    let store = LayoutStore::open(root, LayoutOptions::default()).await.ok()?;
    store.resolve(&Name::Tag("a".into())).await.ok().map(|found| found.descriptor.digest)
}

/// One copy to a broken disk, and the next to one that is not.
async fn check_copy(
    cache: &Cache,
    is_new: bool,
    numbers: Range<usize>,
    (errno, kind): (Errno, ErrorKind),
) -> Failures {
    let folder = tempfile::tempdir_in(memory()).unwrap();
    let root = folder.path().join("cache");
    let what = format!("operations {numbers:?}, {errno}, new: {is_new}");
    let before = prepare(&root, is_new).await;
    let disk = Broken::new(numbers, errno);
    let copied = cache.copy_to_broken(&root, &disk).await;
    let failures = *disk.failures.lock().unwrap();

    let tags = check(&root).await;
    assert!(is_new || tags.contains(&"old".to_owned()), "{what}: {tags:?}");
    let found = tag_a(&root).await;
    match &copied {
        Ok(digest) => assert_eq!((found, failures.decisive), (Some(*digest), 0), "{what}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{what}: {error}");
            assert!(!error.to_string().contains('\n'), "{what}: {error}");
        }
    }
    let staged = names(&root.join("ingest"));
    assert!(failures.removals > 0 || staged.is_empty(), "{what}: {staged:?}");

    let digest = cache.copy(&LayoutStore::open(&root, LayoutOptions::create()).await.unwrap()).await.unwrap();
    assert!(found.is_none() || found == before || found == Some(digest), "{what}");
    assert!(check(&root).await.contains(&"a".to_owned()));
    assert_eq!(tag_a(&root).await, Some(digest), "{what}");
    assert_eq!(names(&root.join("ingest")), Vec::<String>::new(), "{what}");
    failures
}

#[tokio::test]
async fn whichever_operation_fails_the_layout_stays_whole_and_the_next_copy_succeeds() {
    let cache = Cache::new().await;
    for is_new in [true, false] {
        let folder = tempfile::tempdir_in(memory()).unwrap();
        prepare(&folder.path().join("cache"), is_new).await;
        let sound = Broken::new(0..0, Errno::IO);
        cache.copy_to_broken(&folder.path().join("cache"), &sound).await.unwrap();
        let operations = sound.made.load(Ordering::SeqCst);
        let mut decisive = 0;
        for number in 0..operations {
            for error in ERRORS {
                for numbers in [number..number + 1, number..usize::MAX] {
                    decisive += check_copy(&cache, is_new, numbers, error).await.decisive.min(1);
                }
            }
        }
        assert!(decisive > operations * 6, "{decisive} failures of {operations} operations");
    }
}
