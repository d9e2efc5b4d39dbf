//! Puts a small blob that its source has as a file: cloned, or copied by the kernel, and hashed.
//!
//! The staged file is hashed, never the source's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use cache_model::Descriptor;
use tokio::sync::oneshot;

use crate::layout::durability::clone::CopyError;
use crate::layout::durability::staging::StagedFile;
use crate::layout::folder::LayoutFolder;
use crate::layout::threads::blocking::{BUFFER, ThreadPool, blocking, interrupted};
use crate::{Error, Source, Verifier};

pub(crate) async fn put_small_file(
    folder: &Arc<LayoutFolder>,
    pool: &ThreadPool,
    descriptor: &Descriptor,
    source: &Source<'_>,
    file: File,
) -> Result<(), Error> {
    // Closed when this future is dropped.
    let (alive, _alive) = oneshot::channel::<()>();
    let (writing, wanted, verifier) = (Arc::clone(folder), descriptor.clone(), source.verifier());
    let work = move || {
        let mut staged = writing.stage_blob()?;
        copy_and_hash(&file, &mut staged, verifier, wanted.size)?;
        if alive.is_closed() {
            return Err(interrupted(&wanted));
        }
        writing.place_blob(staged, &wanted.digest)
    };
    // Puts that wait for the disk wait together, each on its own thread. Without such waits, more threads than processors
    // would only hinder each other.
    if folder.disk().syncs() {
        blocking("put", work).await?;
    } else {
        pool.run("put", work).await?;
    }
    source.transferred(descriptor.size);
    Ok(())
}

fn copy_and_hash(
    file: &File,
    staged: &mut StagedFile,
    mut verifier: Verifier,
    size: u64,
) -> Result<(), Error> {
    if !staged.reflink(file, size) {
        // One byte more than the blob has, so that a longer file is noticed.
        let mut left = size.saturating_add(1);
        while left > 0 {
            let copied = copy_piece(file, staged, left, &verifier)?;
            if copied == 0 {
                break;
            }
            left -= copied;
        }
    }
    let mut copied = staged.file();
    copied.seek(SeekFrom::Start(0)).map_err(|cause| staged.error("read", cause))?;
    // One byte more than the blob has, so that one read shows that the file ends there.
    let len = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1).min(BUFFER);
    let mut buffer = vec![0; len];
    loop {
        match copied.read(&mut buffer) {
            Ok(0) => return verifier.finish(),
            Ok(read) => verifier.update(buffer.get(..read).unwrap_or_default())?,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(staged.error("read", cause)),
        }
    }
}

/// Copies at most `limit` bytes from the file's position, and gives how many: 0 only at its end.
pub(crate) fn copy_piece(
    file: &File,
    staged: &mut StagedFile,
    limit: u64,
    verifier: &Verifier,
) -> Result<u64, Error> {
    staged.copy_piece(file, limit).map_err(|error| match error {
        CopyError::Read(cause) => verifier.blame(Error::io("read", verifier.digest(), cause)),
        CopyError::Write(cause) => staged.error("write", cause),
    })
}
