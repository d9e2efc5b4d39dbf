//! Stores a blob: staged, verified, made durable, renamed to its place.
//!
//! When the one who wanted it is gone, the thread that writes it notices and removes the staged file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::pin;

use bytes::Bytes;
use cache_model::{Algorithm, Descriptor};
use futures_util::future::{Either, join, select};
use tokio::sync::mpsc;

use crate::layout::LayoutStore;
use crate::layout::blocking;
use crate::layout::clone::CopyError;
use crate::layout::files::{blob_folder, blob_path, open_blob};
use crate::layout::staging::Staged;
use crate::{Error, ErrorKind, Source, Stored, Verifier};

/// How many chunks may wait to be written.
const AHEAD: usize = 3;
/// How many bytes are cloned or hashed at once before asking whether they are still wanted.
const PIECE: u64 = 8 << 20;
/// How many bytes are read at once to be hashed.
const HASHED_AT_ONCE: usize = 256 * 1024;

/// What the writing thread is sent.
enum Piece {
    Chunk(Bytes),
    /// All chunks were sent, and are verified.
    Commit,
}

/// What a blob that is there already is trusted by.
#[derive(Clone, Copy)]
enum Trust {
    Size,
    /// For small blobs, and for all where that is wanted: it is read and hashed.
    Content,
}

impl LayoutStore {
    pub(crate) async fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
    ) -> Result<Stored, Error> {
        let trust = if self.rehash || source.as_bytes().is_some() { Trust::Content } else { Trust::Size };
        let (store, wanted) = (self.clone(), descriptor.clone());
        let present = blocking("put", move || {
            if is_present(store.path(), &wanted, trust) {
                return Ok(true);
            }
            store.prepare_for_writing().map(|()| false)
        });
        if present.await? {
            return Ok(Stored::AlreadyPresent);
        }
        match source.file() {
            Some(file) => self.put_file(descriptor, source, file, trust).await,
            None => self.put_stream(descriptor, source, trust).await,
        }
    }

    async fn put_stream(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        trust: Trust,
    ) -> Result<Stored, Error> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (store, wanted) = (self.clone(), descriptor.clone());
        let writer = blocking("put", move || store.write_pieces(receiver, &wanted, trust));
        let feeder = async {
            let fed = feed(source, &sender).await;
            drop(sender);
            fed
        };
        let (fed, written) = join(feeder, writer).await;
        fed?;
        // Without a commit there was an error, which either the reading or the writing has told.
        written?.ok_or_else(|| interrupted(descriptor))
    }

    /// Writes chunks until the commit; `None` when the sender has gone without one.
    fn write_pieces(
        &self,
        mut receiver: mpsc::Receiver<Piece>,
        descriptor: &Descriptor,
        trust: Trust,
    ) -> Result<Option<Stored>, Error> {
        let mut staged = self.stage()?;
        loop {
            match receiver.blocking_recv() {
                Some(Piece::Chunk(bytes)) => staged.write(&bytes)?,
                Some(Piece::Commit) => return self.commit(staged, descriptor, trust).map(Some),
                None => return Ok(None),
            }
        }
    }

    async fn put_file(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
        trust: Trust,
    ) -> Result<Stored, Error> {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let (store, descriptor, verifier) = (self.clone(), descriptor.clone(), source.verifier());
        let writer = blocking("put", move || store.clone_file(&file, &descriptor, trust, verifier, &sender));
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
        trust: Trust,
        mut verifier: Verifier,
        reports: &mpsc::Sender<u64>,
    ) -> Result<Stored, Error> {
        let gone = || interrupted(descriptor);
        let mut staged = self.stage()?;
        if !staged.reflink(file, descriptor.size) {
            // One byte more than the size: enough to see that a file is too long.
            let mut left = descriptor.size.saturating_add(1);
            while left > 0 && !reports.is_closed() {
                let copied = staged.copy_piece(file, left.min(PIECE)).map_err(|error| match error {
                    CopyError::Read(cause) => verifier.blame(Error::io("read", descriptor.digest, cause)),
                    CopyError::Write(cause) => staged.error("write", cause),
                })?;
                left = if copied == 0 { 0 } else { left - copied };
            }
        }
        let mut clone = staged.file();
        clone.seek(SeekFrom::Start(0)).map_err(|cause| staged.error("read", cause))?;
        let mut buffer = vec![0; HASHED_AT_ONCE];
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
        self.commit(staged, descriptor, trust)
    }

    /// Brings a staged file whose content is verified to its place.
    fn commit(&self, staged: Staged, descriptor: &Descriptor, trust: Trust) -> Result<Stored, Error> {
        let digest = &descriptor.digest;
        let folder = blob_folder(self.path(), digest.algorithm());
        let made = self.disk.ensure_folder(&folder)?;
        // Where it is there already, it may have been made this moment, save the one that is made before all else.
        if made || digest.algorithm() != Algorithm::Sha256 {
            self.disk.sync_folder(&self.path().join("blobs"))?;
        }
        staged.make_read_only();
        staged.sync()?;
        let stored = if is_present(self.path(), descriptor, trust) {
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

/// Whether there is a regular file of the right size, and where asked for, of the right content. Any other is left
/// over from something that was cut short, or was damaged, and is replaced.
fn is_present(root: &Path, descriptor: &Descriptor, trust: Trust) -> bool {
    let folder = fs::symlink_metadata(blob_folder(root, descriptor.digest.algorithm()));
    let blob = fs::symlink_metadata(blob_path(root, &descriptor.digest));
    folder.is_ok_and(|folder| folder.is_dir())
        && blob.is_ok_and(|blob| blob.is_file() && blob.len() == descriptor.size)
        && match trust {
            Trust::Size => true,
            Trust::Content => has_content(root, descriptor),
        }
}

/// Whether the file of a blob has its content; one that cannot be read has not.
fn has_content(root: &Path, descriptor: &Descriptor) -> bool {
    let digest = &descriptor.digest;
    let Ok((mut file, _)) = open_blob("read", root, digest) else { return false };
    let mut verifier = Verifier::new(descriptor);
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return verifier.finish().is_ok(),
            Ok(read) if verifier.update(buffer.get(..read).unwrap_or_default()).is_ok() => {}
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            _ => return false,
        }
    }
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
fn interrupted(descriptor: &Descriptor) -> Error {
    Error::new(ErrorKind::Other, "put", descriptor.digest, "it was interrupted")
}
