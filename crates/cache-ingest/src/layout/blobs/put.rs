//! Puts a blob: staged, verified, made durable, moved to its place.
//!
//! A thread that writes notices when its future was dropped, and removes the staged file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use cache_model::Descriptor;
use futures_util::future::{Either, join, select};
use tokio::sync::mpsc;

use crate::layout::blobs::large::LargeCopies;
use crate::layout::blobs::put_file::put_small_file;
use crate::layout::files::{blob_folder, blob_path, open_blob};
use crate::layout::folder::LayoutFolder;
use crate::layout::threads::blocking::{BUFFER, ThreadPool, blocking, interrupted};
use crate::{Error, Source, Stored, Verifier};

/// The size in bytes from which a file is copied by [`LargeCopies`].
const LARGE: u64 = 1 << 20;
/// How many chunks of a stream may wait to be written.
const AHEAD: usize = 3;

/// By what an existing blob is trusted.
#[derive(Clone, Copy)]
enum Trust {
    Size,
    /// The blob is read, hashed, and made durable.
    Content,
}

/// Puts blobs into one layout.
#[derive(Debug)]
pub(crate) struct BlobPutter {
    folder: Arc<LayoutFolder>,
    pool: ThreadPool,
    large: LargeCopies,
    /// Whether every existing blob is read and hashed.
    rehash: bool,
}

impl BlobPutter {
    pub(crate) fn new(folder: Arc<LayoutFolder>, pool: ThreadPool, rehash: bool) -> Self {
        Self { folder, pool, large: LargeCopies::default(), rehash }
    }

    pub(crate) async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let trust = if self.rehash || source.as_bytes().is_some() { Trust::Content } else { Trust::Size };
        let (folder, wanted) = (Arc::clone(&self.folder), descriptor.clone());
        let present = self.pool.run("put", move || {
            if is_present(&folder, &wanted, trust)? {
                return Ok(true);
            }
            folder.prepare().map(|()| false)
        });
        if present.await? {
            return Ok(Stored::AlreadyPresent);
        }
        match source.file() {
            Some(file) if descriptor.size >= LARGE => {
                self.large.copy(&self.folder, descriptor, source, file).await?;
            }
            Some(file) => put_small_file(&self.folder, &self.pool, descriptor, source, file).await?,
            None => put_stream(&self.folder, descriptor, source).await?,
        }
        Ok(Stored::Stored)
    }
}

/// Whether there is a regular file of the right size and, if that is asked for, of the right content. The latter is made
/// durable. Any other file is damaged, or left over from a put that was cut short, and is replaced.
fn is_present(folder: &LayoutFolder, descriptor: &Descriptor, trust: Trust) -> Result<bool, Error> {
    let path = blob_path(folder.root(), &descriptor.digest);
    let parent = fs::symlink_metadata(blob_folder(folder.root(), descriptor.digest.algorithm()));
    let has_size = parent.is_ok_and(|parent| parent.is_dir())
        && fs::symlink_metadata(&path).is_ok_and(|blob| blob.is_file() && blob.len() == descriptor.size);
    match trust {
        _ if !has_size => Ok(false),
        Trust::Size => Ok(true),
        Trust::Content => match open_verified(folder.root(), descriptor) {
            None => Ok(false),
            // The process that wrote it may not have waited for the disk.
            Some(file) => folder.disk().sync_found(&file, &path).map(|()| true),
        },
    }
}

/// The file of a blob if it can be read and has the blob's content.
fn open_verified(root: &Path, descriptor: &Descriptor) -> Option<File> {
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

/// A message to the thread that writes a stream.
enum Piece {
    Chunk(Bytes),
    /// All chunks were sent, and are verified.
    Commit,
}

async fn put_stream(
    folder: &Arc<LayoutFolder>,
    descriptor: &Descriptor,
    source: &Source<'_>,
) -> Result<(), Error> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (folder, wanted) = (Arc::clone(folder), descriptor.clone());
    // It waits for chunks, so it gets a thread of its own and none of the pool's.
    let writer = blocking("put", move || write_pieces(&folder, receiver, &wanted));
    let feeder = async {
        let fed = feed(source, &sender).await;
        drop(sender);
        fed
    };
    let (fed, written) = join(feeder, writer).await;
    fed?;
    // Without a commit there was an error, which either the feeder or the writer has given.
    written?.ok_or_else(|| interrupted(descriptor))
}

/// Writes chunks until the commit; `None` when the sender was dropped without one.
fn write_pieces(
    folder: &LayoutFolder,
    mut receiver: mpsc::Receiver<Piece>,
    descriptor: &Descriptor,
) -> Result<Option<()>, Error> {
    let mut staged = folder.stage_blob()?;
    loop {
        match receiver.blocking_recv() {
            Some(Piece::Chunk(bytes)) => staged.write(&bytes)?,
            Some(Piece::Commit) => return folder.place_blob(staged, &descriptor.digest).map(Some),
            None => return Ok(None),
        }
    }
}

/// Sends a source's chunks and the commit. Stops without an error when the writer has stopped: the writer gives it.
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
