//! Stores a blob that its source has as a file: cloned, or copied by the kernel, and hashed.
//!
//! What is hashed is the staged file, never the source's. Of a large blob the hashing follows the copying on another
//! thread, a few pieces behind: two processors share the work, and find the bytes in their caches still.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use cache_model::Descriptor;
use futures_util::future::join;
use tokio::sync::mpsc;

use crate::layout::LayoutStore;
use crate::layout::clone::CopyError;
use crate::layout::staging::Staged;
use crate::layout::write::interrupted;
use crate::{Error, Source, Stored, Verifier};

/// How many bytes are copied at once. A blob of no more than that is not worth a second thread.
const PIECE: u64 = 1 << 20;
/// How many pieces may be copied and not yet hashed.
const AHEAD: usize = 4;
/// How many bytes are hashed before their number is told, and with it asked whether they are still wanted.
const REPORT: u64 = 8 << 20;
/// How many bytes are read at once to be hashed.
pub(crate) const BUFFER: usize = 256 * 1024;

impl LayoutStore {
    pub(crate) async fn put_file(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
    ) -> Result<Stored, Error> {
        let (reports, mut reported) = mpsc::channel(1);
        let (store, descriptor, verifier) = (self.clone(), descriptor.clone(), source.verifier());
        let writer = self.writing(move || {
            let mut staged = store.stage_blob()?;
            let unreported = copy_and_hash(&file, &mut staged, Hashing::new(&descriptor, verifier, reports))?;
            Ok((store.commit(staged, &descriptor)?, unreported))
        });
        let reports = async {
            while let Some(bytes) = reported.recv().await {
                source.transferred(bytes);
            }
        };
        let (stored, unreported) = join(writer, reports).await.0?;
        source.transferred(unreported);
        Ok(stored)
    }
}

/// How many bytes have not been reported.
fn copy_and_hash(file: &File, staged: &mut Staged, hashing: Hashing<'_>) -> Result<u64, Error> {
    let size = hashing.descriptor.size;
    if !staged.reflink(file, size) {
        if size > PIECE {
            return copy_before_hash(file, staged, hashing);
        }
        copy(file, staged, size, &hashing.verifier, |_| true)?;
    }
    let mut copied = staged.file();
    copied.seek(SeekFrom::Start(0)).map_err(|cause| staged.error("read", cause))?;
    hashing.finish(copied, staged.path())
}

/// Copies on this thread, and hashes on another what has been copied.
fn copy_before_hash(file: &File, staged: &mut Staged, mut hashing: Hashing<'_>) -> Result<u64, Error> {
    let failed = |cause| Error::io("start a thread for", hashing.descriptor.digest, cause);
    let (size, verifier) = (hashing.descriptor.size, hashing.verifier.clone());
    let (path, reader) = (staged.path().to_owned(), staged.reader()?);
    let (copied, pieces) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let hash = move || {
            for piece in pieces {
                hashing.take(&reader, &path, piece)?;
            }
            hashing.finish(&reader, &path)
        };
        let hasher = thread::Builder::new().spawn_scoped(scope, hash).map_err(failed)?;
        // When the hasher has gone, it says why.
        let done = copy(file, staged, size, &verifier, |piece| copied.send(piece).is_ok());
        drop(copied);
        let hashed = hasher.join().unwrap_or_else(|_| Err(failed(io::Error::other("it has panicked"))));
        done.and(hashed)
    })
}

/// Copies a file piece by piece, up to one byte more than its size: enough to see that it is too long. It stops early
/// when `copied`, which is told the size of each piece, says no.
fn copy(
    file: &File,
    staged: &mut Staged,
    size: u64,
    verifier: &Verifier,
    mut copied: impl FnMut(u64) -> bool,
) -> Result<(), Error> {
    let mut left = size.saturating_add(1);
    while left > 0 {
        let piece = staged.copy_piece(file, left.min(PIECE)).map_err(|error| match error {
            CopyError::Read(cause) => verifier.blame(Error::io("read", verifier.digest(), cause)),
            CopyError::Write(cause) => staged.error("write", cause),
        })?;
        if piece == 0 || !copied(piece) {
            break;
        }
        left -= piece;
    }
    Ok(())
}

/// Hashes a staged file, and tells how far it has come.
struct Hashing<'a> {
    descriptor: &'a Descriptor,
    verifier: Verifier,
    reports: mpsc::Sender<u64>,
    unreported: u64,
    buffer: Vec<u8>,
}

impl<'a> Hashing<'a> {
    fn new(descriptor: &'a Descriptor, verifier: Verifier, reports: mpsc::Sender<u64>) -> Self {
        // One byte more than a small blob has, so that one read shows that it is no longer.
        let len = usize::try_from(descriptor.size).unwrap_or(usize::MAX).saturating_add(1).min(BUFFER);
        Self { descriptor, verifier, reports, unreported: 0, buffer: vec![0; len] }
    }

    /// Hashes so many bytes of a file, or what it has.
    fn take(&mut self, mut file: &File, path: &Path, bytes: u64) -> Result<(), Error> {
        let mut left = bytes;
        while left > 0 {
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = match file.read(self.buffer.get_mut(..len).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(Error::io("read", path.display(), cause)),
            };
            self.verifier.update(self.buffer.get(..read).unwrap_or_default())?;
            left -= read as u64;
            self.unreported += read as u64;
            if self.unreported >= REPORT {
                let bytes = std::mem::take(&mut self.unreported);
                self.reports.blocking_send(bytes).map_err(|_| interrupted(self.descriptor))?;
            }
        }
        Ok(())
    }

    /// Hashes the rest of a file; gives how many bytes have not been reported. An error unless all of it is the blob,
    /// or where no one wants it any more.
    fn finish(mut self, file: &File, path: &Path) -> Result<u64, Error> {
        self.take(file, path, u64::MAX)?;
        self.verifier.finish()?;
        if self.reports.is_closed() { Err(interrupted(self.descriptor)) } else { Ok(self.unreported) }
    }
}
