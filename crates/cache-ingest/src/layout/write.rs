//! Stores a blob: staged, verified, made durable, renamed to its place.
//!
//! When the one who wanted it is gone, the thread that writes it notices and removes the staged file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::pin;

use bytes::Bytes;
use cache_model::{Descriptor, Digest};
use futures_util::future::{Either, join, select};
use tokio::sync::mpsc;

use crate::layout::LayoutStore;
use crate::layout::blocking;
use crate::layout::files::{blob_folder, blob_path, ensure_folder, sync_folder};
use crate::layout::staging::Staged;
use crate::{Error, ErrorKind, Source, Stored, Verifier};

/// How many chunks may wait to be written.
const AHEAD: usize = 3;
/// How many bytes are cloned or hashed at once before asking whether they are still wanted.
const PIECE: u64 = 8 << 20;

/// What the writing thread is sent.
enum Piece {
    Chunk(Bytes),
    /// All chunks were sent, and are verified.
    Commit,
}

impl LayoutStore {
    pub(crate) async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
    ) -> Result<Stored, Error> {
        let (store, digest, size) = (self.clone(), descriptor.digest, descriptor.size);
        let present = blocking("put", move || {
            if is_present(store.path(), &digest, size) {
                return Ok(true);
            }
            store.prepare_for_writing().map(|()| false)
        });
        if present.await? {
            return Ok(Stored::AlreadyPresent);
        }
        match source.file() {
            Some(file) => self.put_file(descriptor, source, file).await,
            None => self.put_stream(descriptor, source).await,
        }
    }

    async fn put_stream(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (store, digest, size) = (self.clone(), descriptor.digest, descriptor.size);
        let writer = blocking("put", move || store.write_pieces(receiver, &digest, size));
        let feeder = async {
            let fed = feed(source, &sender).await;
            drop(sender);
            fed
        };
        let (fed, written) = join(feeder, writer).await;
        fed?;
        // Without a commit there was an error, which either the reading or the writing has told.
        written?.ok_or_else(|| interrupted(&descriptor.digest))
    }

    /// Writes chunks until the commit; `None` when the sender has gone without one.
    fn write_pieces(
        &self,
        mut receiver: mpsc::Receiver<Piece>,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Stored>, Error> {
        let mut staged = self.stage()?;
        loop {
            match receiver.blocking_recv() {
                Some(Piece::Chunk(bytes)) => staged.write(&bytes)?,
                Some(Piece::Commit) => return self.commit(staged, digest, size).map(Some),
                None => return Ok(None),
            }
        }
    }

    async fn put_file(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
    ) -> Result<Stored, Error> {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let (store, descriptor, verifier) = (self.clone(), descriptor.clone(), source.verifier());
        let writer = blocking("put", move || store.clone_file(&file, &descriptor, verifier, &sender));
        let reports = async {
            while let Some(bytes) = receiver.recv().await {
                source.transferred(bytes);
            }
        };
        join(writer, reports).await.0
    }

    /// Clones a file to a staged one, and hashes the staged one: what was not hashed does not count.
    fn clone_file(
        &self,
        file: &File,
        descriptor: &Descriptor,
        mut verifier: Verifier,
        reports: &mpsc::Sender<u64>,
    ) -> Result<Stored, Error> {
        let gone = || interrupted(&descriptor.digest);
        let staged = self.stage()?;
        let write_error = |cause| staged.error("write", cause);
        if !reflink(file, staged.file()) {
            // One byte more than the size: enough to see that a file is too long.
            let mut left = descriptor.size.saturating_add(1);
            while left > 0 && !reports.is_closed() {
                let copied =
                    io::copy(&mut file.take(left.min(PIECE)), &mut staged.file()).map_err(write_error)?;
                left = if copied == 0 { 0 } else { left - copied };
            }
        }
        let mut clone = staged.file();
        clone.seek(SeekFrom::Start(0)).map_err(|cause| staged.error("read", cause))?;
        let mut buffer = vec![0; 256 * 1024];
        let mut unreported = 0;
        loop {
            let read = clone.read(&mut buffer).map_err(|cause| staged.error("read", cause))?;
            if unreported >= PIECE || read == 0 {
                reports.blocking_send(unreported).map_err(|_| gone())?;
                unreported = 0;
            }
            if read == 0 {
                break;
            }
            verifier.update(buffer.get(..read).unwrap_or_default())?;
            unreported += read as u64;
        }
        verifier.finish()?;
        self.commit(staged, &descriptor.digest, descriptor.size)
    }

    /// Brings a staged file whose content is verified to its place.
    fn commit(&self, staged: Staged, digest: &Digest, size: u64) -> Result<Stored, Error> {
        let folder = blob_folder(self.path(), digest.algorithm());
        if ensure_folder(&folder)? && self.syncs() {
            sync_folder(&self.path().join("blobs"))?;
        }
        staged.make_read_only();
        if self.syncs() {
            staged.sync()?;
        }
        let stored = if is_present(self.path(), digest, size) {
            // Another put was faster. Its file may not be durable yet, but from here on it is in the folder's sync.
            Stored::AlreadyPresent
        } else {
            staged.rename(&blob_path(self.path(), digest))?;
            Stored::Stored
        };
        self.sync_blobs(digest.algorithm())?;
        Ok(stored)
    }
}

/// Whether there is a regular file of the right size. One of another size is left over from something that was cut
/// short, and is replaced.
fn is_present(root: &Path, digest: &Digest, size: u64) -> bool {
    let folder = fs::symlink_metadata(blob_folder(root, digest.algorithm()));
    let blob = fs::symlink_metadata(blob_path(root, digest));
    folder.is_ok_and(|folder| folder.is_dir()) && blob.is_ok_and(|blob| blob.is_file() && blob.len() == size)
}

/// Sends a source's chunks and the commit. Stops without an error when the writer has gone: it tells why.
async fn feed(source: &Source<'_>, sender: &mpsc::Sender<Piece>) -> Result<(), Error> {
    let mut reader = source.reader();
    loop {
        let chunk = match select(pin!(reader.next_chunk()), pin!(sender.closed())).await {
            Either::Left((chunk, _)) => chunk?,
            Either::Right(_) => return Ok(()),
        };
        let is_last = chunk.is_none();
        if sender.send(chunk.map_or(Piece::Commit, Piece::Chunk)).await.is_err() || is_last {
            return Ok(());
        }
    }
}

/// The error of a put whose other half has gone, and with it whoever would be told.
fn interrupted(digest: &Digest) -> Error {
    Error::new(ErrorKind::Other, "put", digest, "it was interrupted")
}

/// Makes `to` share the blocks of `from`, where the file system can.
#[cfg(target_os = "linux")]
fn reflink(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Makes `to` share the blocks of `from`, where the file system can.
#[cfg(not(target_os = "linux"))]
fn reflink(_from: &File, _to: &File) -> bool {
    false
}
