//! Stores a blob: staged, verified, made durable, renamed to its place.
//!
//! When the one who wanted it is gone, the thread that writes it notices and removes the staged file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;

use bytes::Bytes;
use cache_model::{Algorithm, Descriptor};
use futures_util::future::{Either, join, select};
use tokio::sync::mpsc;

use crate::layout::durability::staging::Staged;
use crate::layout::files::{blob_folder, blob_path, open_blob};
use crate::layout::store::LayoutStore;
use crate::layout::threads::blocking::{BUFFER, blocking, interrupted};
use crate::{Error, Source, Stored, Verifier};

/// How many chunks may wait to be written.
const AHEAD: usize = 3;

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
    /// For small blobs, and for all where that is wanted: it is read and hashed, and made durable.
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
        let present = self.shared.few.blocking("put", move || {
            if store.is_present(&wanted, trust)? {
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

    /// Whether there is a regular file of the right size, and where asked for, of the right content, which then is made
    /// durable. Any other is left over from something that was cut short, or was damaged, and is replaced.
    fn is_present(&self, descriptor: &Descriptor, trust: Trust) -> Result<bool, Error> {
        let folder = fs::symlink_metadata(blob_folder(self.path(), descriptor.digest.algorithm()));
        let blob = || fs::symlink_metadata(blob_path(self.path(), &descriptor.digest));
        let is_there = folder.is_ok_and(|folder| folder.is_dir())
            && blob().is_ok_and(|blob| blob.is_file() && blob.len() == descriptor.size);
        match trust {
            _ if !is_there => Ok(false),
            Trust::Size => Ok(true),
            Trust::Content => match with_content(self.path(), descriptor) {
                None => Ok(false),
                // Whoever wrote it may not have waited for the disk.
                Some(file) => {
                    self.disk.sync_found(&file, &blob_path(self.path(), &descriptor.digest)).map(|()| true)
                }
            },
        }
    }

    async fn put_stream(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (store, wanted) = (self.clone(), descriptor.clone());
        // It waits for what comes, and would keep others waiting.
        let writer = blocking("put", move || store.write_pieces(receiver, &wanted));
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
    ) -> Result<Option<Stored>, Error> {
        let mut staged = self.stage_blob()?;
        loop {
            match receiver.blocking_recv() {
                Some(Piece::Chunk(bytes)) => staged.write(&bytes)?,
                Some(Piece::Commit) => return self.commit(staged, descriptor).map(Some),
                None => return Ok(None),
            }
        }
    }

    /// Brings a staged file whose content is verified to its place.
    pub(crate) fn commit(&self, staged: Staged, descriptor: &Descriptor) -> Result<Stored, Error> {
        let digest = &descriptor.digest;
        let folder = blob_folder(self.path(), digest.algorithm());
        let made = self.disk.ensure_folder(&folder)?;
        // Where it is there already, it may have been made this moment, save the one that is made before all else.
        if made || digest.algorithm() != Algorithm::Sha256 {
            self.disk.sync_folder(&self.path().join("blobs"))?;
        }
        staged.sync()?;
        // Where another put was faster, its file is replaced by one that is the same.
        staged.rename(&blob_path(self.path(), digest))?;
        self.folder_sync(digest.algorithm()).sync(&self.disk, &folder)?;
        Ok(Stored::Stored)
    }

    /// Runs what writes a blob that is at hand. Those that wait for the disk wait together, each on a thread; where none
    /// waits, more threads than processors only stand in each other's way.
    pub(crate) async fn writing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if self.disk.syncs() {
            blocking("put", work).await
        } else {
            self.shared.few.blocking("put", work).await
        }
    }
}

/// The file of a blob, where it has its content; one that cannot be read has not.
fn with_content(root: &Path, descriptor: &Descriptor) -> Option<File> {
    let (mut file, _) = open_blob("read", root, &descriptor.digest).ok()?;
    let mut verifier = Verifier::new(descriptor);
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return verifier.finish().is_ok().then_some(file),
            Ok(read) if verifier.update(buffer.get(..read).unwrap_or_default()).is_ok() => {}
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
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
