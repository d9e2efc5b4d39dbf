//! Copies large blobs from files, and hashes two of them at a time on each processor.
//!
//! A piece of each blob is copied, read back while it is in the processor's cache, and hashed together with the piece of
//! the other blob, which takes little longer than hashing one. A blob that is alone is copied on another processor while
//! it is hashed.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use cache_hash::LANES;
use cache_model::Descriptor;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};

use crate::layout::blobs::put_file::copy_piece;
use crate::layout::durability::staging::StagedFile;
use crate::layout::folder::LayoutFolder;
use crate::layout::threads::blocking::stopped;
use crate::layout::threads::queue::{JobQueue, Worker};
use crate::runtime::runtime;
use crate::{Error, Source, Verifier};

/// How many bytes of a blob are copied, and then hashed, at a time: those of two blobs fit a processor's own cache.
const PIECE: usize = 128 * 1024;
/// How many bytes of a blob that is alone are copied ahead of the hashing.
const AHEAD: u64 = 4 << 20;
/// How many bytes are hashed between two reports of progress.
const REPORT: u64 = 8 << 20;

/// The copies of large blobs into one layout. The queue does not hold the store.
#[derive(Debug, Default)]
pub(crate) struct LargeCopies(JobQueue<QueuedCopy>);

/// A blob that waits to be copied.
struct QueuedCopy {
    folder: Arc<LayoutFolder>,
    file: File,
    descriptor: Descriptor,
    verifier: Verifier,
    caller: Caller,
}

/// The future that waits for a blob.
struct Caller {
    /// How many bytes are hashed.
    hashed: watch::Sender<u64>,
    done: oneshot::Sender<Result<(), Error>>,
}

impl LargeCopies {
    /// Copies the blob in `file`, which is the source's, and reports its bytes to the source.
    pub(crate) async fn copy(
        &self,
        folder: &Arc<LayoutFolder>,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
    ) -> Result<(), Error> {
        let (hashed, mut progress) = watch::channel(0);
        let (done, mut copied) = oneshot::channel();
        let (descriptor, caller) = (descriptor.clone(), Caller { hashed, done });
        let (size, verifier) = (descriptor.size, source.verifier());
        let copy = QueuedCopy { folder: Arc::clone(folder), file, descriptor, verifier, caller };
        self.0.push(&runtime("put")?, copy, run_copies);
        let mut reported = 0;
        let copied = loop {
            let changed = match select(&mut copied, pin!(progress.changed())).await {
                Either::Left((copied, _)) => break copied,
                Either::Right((changed, _)) => changed,
            };
            if changed.is_err() {
                break copied.await;
            }
            let hashed = *progress.borrow_and_update();
            let hashed = hashed.min(size);
            source.transferred(hashed - reported);
            reported = hashed;
        };
        copied.unwrap_or_else(|_| Err(stopped("put")))?;
        source.transferred(size - reported);
        Ok(())
    }
}

/// Copies queued blobs, as many at once as are hashed together, until there are none.
fn run_copies(worker: &mut Worker<QueuedCopy>) {
    let mut lanes: Vec<CopyLane> = Vec::with_capacity(LANES);
    loop {
        while lanes.len() < LANES {
            let queued = if lanes.is_empty() { worker.next() } else { worker.next_unclaimed() };
            match queued {
                Some(queued) => lanes.extend(contain_panic(|| CopyLane::new(queued))),
                None if lanes.is_empty() => return,
                None => break,
            }
        }
        let one = if lanes.len() == 1 && worker.has_spare_processor() { lanes.pop() } else { None };
        match one {
            Some(lane) => lanes.extend(contain_panic(|| lane.step_alone())),
            None => step(&mut lanes),
        }
    }
}

/// Copies and hashes the next piece of every blob. Finished and failed blobs leave.
fn step(lanes: &mut Vec<CopyLane>) {
    let before = std::mem::take(lanes);
    lanes.extend(before.into_iter().filter_map(|lane| contain_panic(|| lane.advance(CopyLane::next_piece))));
    let mut parts: Vec<_> = lanes.iter_mut().map(|lane| lane.hashing.part()).collect();
    Verifier::hash_together(&mut parts);
}

/// Runs one lane. A panic (in a disk hook) fails that lane's blob only.
fn contain_panic(work: impl FnOnce() -> Option<CopyLane>) -> Option<CopyLane> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_default()
}

/// A blob that is being copied.
struct CopyLane {
    folder: Arc<LayoutFolder>,
    descriptor: Descriptor,
    copying: FileCopier,
    hashing: FileHasher,
    caller: Caller,
}

impl CopyLane {
    fn new(QueuedCopy { folder, file, descriptor, verifier, caller }: QueuedCopy) -> Option<Self> {
        if caller.done.is_closed() {
            return None;
        }
        let begun = folder.stage_blob().and_then(|staged| {
            let (reader, path) = (staged.reader()?, staged.path().display().to_string());
            let hashing =
                FileHasher { reader, path, verifier: verifier.clone(), buffer: vec![0; PIECE], len: 0 };
            // One byte more than the blob has, so that a longer file is noticed.
            let size = descriptor.size;
            let left = if staged.reflink(&file, size) { 0 } else { size.saturating_add(1) };
            Ok((FileCopier { file, staged, verifier, left, copied: 0 }, hashing))
        });
        match begun {
            Ok((copying, hashing)) => Some(Self { folder, descriptor, copying, hashing, caller }),
            Err(error) => {
                caller.finish(Err(error));
                None
            }
        }
    }

    /// Takes a step, which says whether others follow. After the last one the blob is placed. A blob is given up
    /// once its caller is gone.
    fn advance(mut self, step: impl FnOnce(&mut Self) -> Result<bool, Error>) -> Option<Self> {
        if self.caller.done.is_closed() {
            return None;
        }
        let hashed = self.hashing.verifier.received();
        match step(&mut self) {
            Ok(true) => {
                if hashed / REPORT > *self.caller.hashed.borrow() / REPORT {
                    self.caller.hashed.send_replace(hashed);
                }
                return Some(self);
            }
            Ok(false) => self.end(),
            Err(error) => {
                let Self { copying, caller, .. } = self;
                // The staged file is removed before the caller hears of the error.
                drop(copying);
                caller.finish(Err(error));
            }
        }
        None
    }

    /// Verifies and places the blob. If that waits for the disk, another thread does it, so that other blobs go on.
    fn end(self) {
        let Self { folder, descriptor, copying: FileCopier { staged, .. }, hashing, caller } = self;
        // The last piece counts now: to wait for the disk may take long.
        caller.hashed.send_replace(hashing.verifier.received());
        let syncs = folder.disk().syncs();
        let commit = move || {
            if !caller.done.is_closed() {
                let verified = hashing.verifier.finish();
                caller.finish(verified.and_then(|()| folder.place_blob(staged, &descriptor.digest)));
            }
        };
        if syncs {
            tokio::task::spawn_blocking(commit);
        } else {
            commit();
        }
    }

    /// Copies a piece and reads it; false at the end.
    fn next_piece(&mut self) -> Result<bool, Error> {
        self.copying.copy(PIECE as u64)?;
        self.hashing.read(PIECE as u64)
    }

    /// Hashes the copied bytes, while another thread copies the following ones.
    fn step_alone(self) -> Option<Self> {
        self.advance(|Self { copying, hashing, .. }| {
            if copying.copied <= hashing.verifier.received() {
                copying.copy(AHEAD)?;
            }
            if copying.left == 0 {
                return hashing.hash(AHEAD);
            }
            let ready = copying.copied.saturating_sub(hashing.verifier.received());
            thread::scope(|scope| {
                let copier = thread::Builder::new().spawn_scoped(scope, || copying.copy(AHEAD));
                let goes_on = hashing.hash(ready);
                match copier.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(copied)) => copied.and(goes_on),
                    Ok(Err(_)) => Err(stopped("put")),
                    // Without another thread the bytes are copied when they are needed.
                    Err(_) => goes_on,
                }
            })
        })
    }
}

impl Caller {
    fn finish(self, copied: Result<(), Error>) {
        // The future may have been dropped.
        let _ = self.done.send(copied);
    }
}

/// Copies the source's file to the staged one.
struct FileCopier {
    file: File,
    staged: StagedFile,
    /// Puts errors on the right side of the copy.
    verifier: Verifier,
    /// How many bytes may follow, one more than the blob has.
    left: u64,
    copied: u64,
}

impl FileCopier {
    /// Copies `bytes` bytes, or up to the end of the file.
    fn copy(&mut self, bytes: u64) -> Result<(), Error> {
        let mut wanted = bytes.min(self.left);
        while wanted > 0 {
            let copied = copy_piece(&self.file, &mut self.staged, wanted, &self.verifier)?;
            if copied == 0 {
                self.left = 0;
                break;
            }
            wanted -= copied;
            self.left -= copied;
            self.copied += copied;
        }
        Ok(())
    }
}

/// Hashes the staged file.
struct FileHasher {
    reader: File,
    path: String,
    verifier: Verifier,
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    len: usize,
}

impl FileHasher {
    /// Reads up to `most` bytes; the verifier counts but does not hash them. False at the end of the file.
    fn read(&mut self, most: u64) -> Result<bool, Error> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        self.len = loop {
            match self.reader.read(self.buffer.get_mut(..most).unwrap_or_default()) {
                Ok(len) => break len,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::io("read", &self.path, cause)),
            }
        };
        self.verifier.count(self.len)?;
        Ok(self.len > 0)
    }

    /// The verifier, and the bytes that it has counted but not hashed.
    fn part(&mut self) -> (&mut Verifier, &[u8]) {
        (&mut self.verifier, self.buffer.get(..self.len).unwrap_or_default())
    }

    /// Hashes `bytes` bytes; false at the end of the file.
    fn hash(&mut self, bytes: u64) -> Result<bool, Error> {
        let mut left = bytes;
        while left > 0 {
            if !self.read(left)? {
                return Ok(false);
            }
            left -= self.len as u64;
            Verifier::hash_together(&mut [self.part()]);
        }
        Ok(true)
    }
}
