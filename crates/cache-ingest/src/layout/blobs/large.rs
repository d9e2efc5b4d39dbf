//! Copies large blobs from files, and hashes two of them at a time on each processor.
//!
//! A piece of each is copied, read back while it is in the processor's cache, and hashed with that of the other, which
//! takes little longer than to hash one. A blob that is alone is copied on another processor meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::thread;

use cache_hash::LANES;
use cache_model::Descriptor;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};

use crate::layout::blobs::put_file::copy_piece;
use crate::layout::durability::staging::Staged;
use crate::layout::store::LayoutStore;
use crate::layout::threads::blocking::stopped;
use crate::layout::threads::crew::Worker;
use crate::{Error, Source, Stored, Verifier};

/// How many bytes of a blob are copied, and then hashed, at a time: of two blobs they fit a processor's own cache.
const PIECE: usize = 128 * 1024;
/// How many bytes of a blob that is alone are copied ahead of the hashing.
const AHEAD: u64 = 4 << 20;
/// How many bytes are hashed before their number is told.
const REPORT: u64 = 8 << 20;

/// A blob that waits to be copied.
pub(crate) struct Job {
    store: LayoutStore,
    file: File,
    descriptor: Descriptor,
    verifier: Verifier,
    tell: Tell,
}

/// Whoever waits for a blob.
struct Tell {
    /// How many bytes are hashed.
    hashed: watch::Sender<u64>,
    done: oneshot::Sender<Result<Stored, Error>>,
}

impl LayoutStore {
    /// Stores a blob; gives how many of its bytes the source has been told of.
    pub(crate) async fn put_large(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
    ) -> Result<u64, Error> {
        let (hashed, mut progress) = watch::channel(0);
        let (done, mut stored) = oneshot::channel();
        let (descriptor, verifier, tell) = (descriptor.clone(), source.verifier(), Tell { hashed, done });
        self.shared.large.push(Job { store: self.clone(), file, descriptor, verifier, tell }, run);
        let mut reported = 0;
        let stored = loop {
            let changed = match select(&mut stored, pin!(progress.changed())).await {
                Either::Left((stored, _)) => break stored,
                Either::Right((changed, _)) => changed,
            };
            if changed.is_err() {
                break stored.await;
            }
            let hashed = *progress.borrow_and_update();
            source.transferred(hashed - reported);
            reported = hashed;
        };
        stored.unwrap_or_else(|_| Err(stopped("put"))).map(|_| reported)
    }
}

/// Takes blobs, as many as are hashed together, until there are none.
fn run(worker: &mut Worker<Job>) {
    let mut lanes: Vec<Lane> = Vec::with_capacity(LANES);
    loop {
        while lanes.len() < LANES {
            let job = if lanes.is_empty() { worker.next() } else { worker.another() };
            match job {
                Some(job) => lanes.extend(alone(|| Lane::new(job))),
                None if lanes.is_empty() => return,
                None => break,
            }
        }
        let one = if lanes.len() == 1 && worker.has_room() { lanes.pop() } else { None };
        match one {
            Some(lane) => lanes.extend(alone(|| lane.step_alone())),
            None => step(&mut lanes),
        }
    }
}

/// Brings all a piece further; those that have come to an end leave.
fn step(lanes: &mut Vec<Lane>) {
    let before = std::mem::take(lanes);
    lanes.extend(before.into_iter().filter_map(|lane| alone(|| lane.go_on(Lane::next_piece))));
    let mut parts: Vec<_> = lanes.iter_mut().map(|lane| lane.hashing.part()).collect();
    Verifier::hash_together(&mut parts);
}

/// What a lane does by itself. One that panics, in the hook of a disk, is missed by whoever waits for it, and no other is.
fn alone(work: impl FnOnce() -> Option<Lane>) -> Option<Lane> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_default()
}

/// A blob on its way.
struct Lane {
    store: LayoutStore,
    descriptor: Descriptor,
    copying: Copying,
    hashing: Hashing,
    tell: Tell,
}

impl Lane {
    fn new(Job { store, file, descriptor, verifier, tell }: Job) -> Option<Self> {
        if tell.done.is_closed() {
            return None;
        }
        let begun = store.stage_blob().and_then(|staged| {
            let (reader, path) = (staged.reader()?, staged.path().display().to_string());
            let hashing =
                Hashing { reader, path, verifier: verifier.clone(), buffer: vec![0; PIECE], len: 0 };
            // One byte more, to see that there are no more.
            let size = descriptor.size;
            let left = if staged.reflink(&file, size) { 0 } else { size.saturating_add(1) };
            Ok((Copying { file, staged, verifier, left, copied: 0 }, hashing))
        });
        match begun {
            Ok((copying, hashing)) => Some(Self { store, descriptor, copying, hashing, tell }),
            Err(error) => {
                tell.done(Err(error));
                None
            }
        }
    }

    /// Goes on with a step that says whether there are others; else it is the end, if anyone still asks.
    fn go_on(mut self, step: impl FnOnce(&mut Self) -> Result<bool, Error>) -> Option<Self> {
        if self.tell.done.is_closed() {
            return None;
        }
        let hashed = self.hashing.verifier.received();
        match step(&mut self) {
            Ok(true) => {
                if hashed / REPORT > *self.tell.hashed.borrow() / REPORT {
                    self.tell.hashed.send_replace(hashed);
                }
                return Some(self);
            }
            Ok(false) => self.end(),
            Err(error) => {
                let Self { copying, tell, .. } = self;
                // What is staged is removed before that is told.
                drop(copying);
                tell.done(Err(error));
            }
        }
        None
    }

    /// Brings a blob to its place, if it is the one. Where that waits for the disk, other blobs do not wait for it.
    fn end(self) {
        let Self { store, descriptor, copying: Copying { staged, .. }, hashing, tell } = self;
        let syncs = store.disk.syncs();
        let commit = move || {
            if !tell.done.is_closed() {
                let verified = hashing.verifier.finish();
                tell.done(verified.and_then(|()| store.commit(staged, &descriptor)));
            }
        };
        if syncs {
            tokio::task::spawn_blocking(commit);
        } else {
            commit();
        }
    }

    /// Copies a piece and reads it; no at the end.
    fn next_piece(&mut self) -> Result<bool, Error> {
        self.copying.copy(PIECE as u64)?;
        self.hashing.read(PIECE as u64)
    }

    /// Hashes what has been copied, while another thread copies what follows.
    fn step_alone(self) -> Option<Self> {
        self.go_on(|Self { copying, hashing, .. }| {
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
                    // Without another thread it is copied when it is needed.
                    Err(_) => goes_on,
                }
            })
        })
    }
}

impl Tell {
    fn done(self, stored: Result<Stored, Error>) {
        // Perhaps no one waits any more.
        let _ = self.done.send(stored);
    }
}

/// The way from the source's file to the staged one.
struct Copying {
    file: File,
    staged: Staged,
    /// Says whose error it is.
    verifier: Verifier,
    left: u64,
    copied: u64,
}

impl Copying {
    /// Copies so many bytes, or all that there are.
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

/// The way from the staged file to its digest.
struct Hashing {
    reader: File,
    path: String,
    verifier: Verifier,
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    len: usize,
}

impl Hashing {
    /// Reads the next piece, of at most so many bytes, which the verifier has counted then and not hashed; no at the end.
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

    /// The verifier, and what it has counted and not hashed.
    fn part(&mut self) -> (&mut Verifier, &[u8]) {
        (&mut self.verifier, self.buffer.get(..self.len).unwrap_or_default())
    }

    /// Hashes so many bytes; no at the end.
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
