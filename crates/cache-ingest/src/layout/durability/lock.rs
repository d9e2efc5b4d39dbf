//! The lock on a layout's index: flock on `index.json.lock`, as BuildKit takes it.
//!
//! BuildKit unlinks the file after unlocking it, so that a lock may be on a file that has no name any more. Such a lock is
//! not taken for one, and the holder of a lock checks again before the decisive step. This crate leaves the file in
//! place.

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
    /// Takes the lock of the layout at `root`; `None` if another process holds it, or released it just now.
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

    /// Whether the lock file is still the file that was locked.
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
