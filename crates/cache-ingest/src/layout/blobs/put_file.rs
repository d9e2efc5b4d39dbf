//! Stores a blob that its source has as a file: cloned, or copied by the kernel, and hashed.
//!
//! What is hashed is the staged file, never the source's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use cache_model::Descriptor;
use tokio::sync::oneshot;

use crate::layout::durability::clone::CopyError;
use crate::layout::durability::staging::Staged;
use crate::layout::store::LayoutStore;
use crate::layout::threads::blocking::{BUFFER, interrupted};
use crate::{Error, Source, Stored, Verifier};

/// The size in bytes from which a blob is worth sharing a processor with another.
const LARGE: u64 = 1 << 20;

impl LayoutStore {
    pub(crate) async fn put_file(
        &self,
        descriptor: &Descriptor,
        source: &Source<'_>,
        file: File,
    ) -> Result<Stored, Error> {
        let reported = if descriptor.size < LARGE {
            // Closed when this future is dropped.
            let (waits, _waits) = oneshot::channel::<()>();
            let (store, wanted, verifier) = (self.clone(), descriptor.clone(), source.verifier());
            let writing = self.writing(move || {
                let mut staged = store.stage_blob()?;
                copy_and_hash(&file, &mut staged, verifier, wanted.size)?;
                if waits.is_closed() { Err(interrupted(&wanted)) } else { store.commit(staged, &wanted) }
            });
            writing.await?;
            0
        } else {
            self.put_large(descriptor, source, file).await?
        };
        source.transferred(descriptor.size - reported);
        Ok(Stored::Stored)
    }
}

fn copy_and_hash(file: &File, staged: &mut Staged, mut verifier: Verifier, size: u64) -> Result<(), Error> {
    if !staged.reflink(file, size) {
        // One byte more, to see that there are no more.
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
    // One byte more than it has, so that one read shows that it is no longer.
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

/// Copies at most so many bytes from where the file stands, and says how many: none only at its end.
pub(crate) fn copy_piece(
    file: &File,
    staged: &mut Staged,
    limit: u64,
    verifier: &Verifier,
) -> Result<u64, Error> {
    staged.copy_piece(file, limit).map_err(|error| match error {
        CopyError::Read(cause) => verifier.blame(Error::io("read", verifier.digest(), cause)),
        CopyError::Write(cause) => staged.error("write", cause),
    })
}
