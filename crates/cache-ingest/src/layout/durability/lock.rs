//! The lock on a layout's index: flock on `index.json.lock`, as BuildKit takes it.
//!
//! BuildKit unlinks the file after unlocking it, so that a lock may be on a file that is no longer there. Such a lock
//! is never taken for one, and whoever holds one asks again before the decisive step. We leave the file in place.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::layout::durability::disk::{Disk, DiskOperation};
use crate::layout::files::is_same_file;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct IndexLock {
    file: File,
    path: PathBuf,
}

impl IndexLock {
    /// Takes the lock of the layout at `root`; `None` when another process has it, or gave it back just now.
    pub(crate) fn try_take(disk: &Disk, root: &Path) -> Result<Option<Self>, Error> {
        let path = root.join("index.json.lock");
        let file = disk
            .perform(DiskOperation::CreateFile(&path), || open(&path))
            .map_err(|cause| Error::io("create", path.display(), cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => return Err(Error::io("lock", path.display(), cause)),
        }
        let lock = Self { file, path };
        Ok(lock.is_held().then_some(lock))
    }

    /// Whether the lock file is still the one that was locked.
    pub(crate) fn is_held(&self) -> bool {
        is_same_file(&self.file, &self.path)
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(no_link.bits().cast_signed());
    }
    options.open(path)
}
