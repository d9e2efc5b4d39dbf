//! Puts a blob, unless the folder has it: from a file or from a stream.
//!
//! It decides whether an existing blob is trusted. It writes nothing itself.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use cache_model::Descriptor;

use crate::layout::blobs::large::LargeCopies;
use crate::layout::blobs::put_file::put_small_file;
use crate::layout::blobs::put_stream::put_stream;
use crate::layout::files::{blob_folder, blob_path, open_blob};
use crate::layout::folder::LayoutFolder;
use crate::layout::threads::blocking::{BUFFER, ThreadPool};
use crate::{Error, Source, Stored, Verifier};

/// The size in bytes from which a file is copied by [`LargeCopies`].
const LARGE: u64 = 1 << 20;

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
        if self.rehash && self.pool.run("put", move || Ok(has_size(&folder, &wanted))).await? {
            source.rehashing();
        }
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
            // Windows lets nobody else read a locked file, and these copies are read by a second handle.
            Some(file) if cfg!(unix) && descriptor.size >= LARGE => {
                self.large.copy(&self.folder, descriptor, source, file).await?;
            }
            Some(file) => put_small_file(&self.folder, &self.pool, descriptor, source, file).await?,
            None => put_stream(&self.folder, source).await?,
        }
        Ok(Stored::Stored)
    }
}

/// Whether there is a regular file of the right size and, if that is asked for, of the right content. The latter is made
/// durable. Any other file is damaged, or left over from a put that was cut short, and is replaced.
fn is_present(folder: &LayoutFolder, descriptor: &Descriptor, trust: Trust) -> Result<bool, Error> {
    match trust {
        _ if !has_size(folder, descriptor) => Ok(false),
        Trust::Size => Ok(true),
        Trust::Content => match open_verified(folder.root(), descriptor) {
            None => Ok(false),
            // The process that wrote it may not have waited for the disk.
            Some(file) => {
                let path = blob_path(folder.root(), &descriptor.digest);
                folder.disk().sync_found(&file, &path).map(|()| true)
            }
        },
    }
}

/// Whether there is a regular file of the right size in the place of a blob.
fn has_size(folder: &LayoutFolder, descriptor: &Descriptor) -> bool {
    let path = blob_path(folder.root(), &descriptor.digest);
    let parent = fs::symlink_metadata(blob_folder(folder.root(), descriptor.digest.algorithm()));
    parent.is_ok_and(|parent| parent.is_dir())
        && fs::symlink_metadata(path).is_ok_and(|blob| blob.is_file() && blob.len() == descriptor.size)
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
