//! The one seam through which a layout's files and folders are changed.
//!
//! Making, writing, making read-only, syncing, renaming and removing are [`DiskOperation`]s of a [`Disk`]; reading and locking
//! are not. Without a hook a disk only does the operation.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::{Error, ErrorKind};

/// A change that a [`LayoutStore`](crate::LayoutStore) is about to make. Paths begin with the store's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskOperation<'a> {
    /// A folder is made, where it is absent.
    CreateFolder(&'a Path),
    /// An empty file is made. The file of a lock is opened if it exists.
    CreateFile(&'a Path),
    /// Bytes are added at the end of a file.
    Write {
        /// The file.
        path: &'a Path,
        /// How many bytes it has.
        offset: u64,
        /// How many are added; fewer where they come from a file that ends.
        at_most: u64,
    },
    /// A file that was writable is made read-only.
    MakeReadOnly(&'a Path),
    /// The content of a file is made durable.
    SyncFile(&'a Path),
    /// The names in a folder are made durable.
    SyncFolder(&'a Path),
    /// A file gets another name, in another folder, in place of the file that has it.
    Rename {
        /// The name that it has.
        from: &'a Path,
        /// The name that it gets.
        to: &'a Path,
    },
    /// A file is removed.
    Remove(&'a Path),
    /// An empty folder is removed.
    RemoveFolder(&'a Path),
}

/// Stands between a [`LayoutStore`](crate::LayoutStore) and its disk, for tests of crashes and broken disks.
///
/// It is called on any thread that writes, and from several at once.
pub trait DiskHook: Send + Sync {
    /// Performs an operation, or does not.
    ///
    /// `work` performs it, and may be called once. The operation has failed for the store if this returns an error, or if
    /// `work` was not called or has failed.
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()>;
}

/// Changes files and folders. Clones have the same hook.
#[derive(Clone)]
pub(crate) struct Disk {
    /// Whether anything is made durable.
    sync: bool,
    hook: Option<Arc<dyn DiskHook>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("sync", &self.sync).field("hook", &self.hook.is_some()).finish()
    }
}

impl Disk {
    pub(crate) fn new(hook: Option<Arc<dyn DiskHook>>, sync: bool) -> Self {
        Self { sync, hook }
    }

    pub(crate) fn syncs(&self) -> bool {
        self.sync
    }

    /// Does an operation, which is `work`.
    pub(crate) fn perform<T>(
        &self,
        operation: DiskOperation<'_>,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(hook) = &self.hook else { return work() };
        let (mut work, mut done) = (Some(work), None);
        hook.perform(&operation, &mut || {
            let Some(work) = work.take() else { return Err(io::Error::other("it was done before")) };
            done = Some(work()?);
            Ok(())
        })?;
        done.ok_or_else(|| io::Error::other("the hook has not done it"))
    }

    /// Makes a folder if it is absent, and says whether it did. An existing path must be a folder, and no link to one.
    pub(crate) fn ensure_folder(&self, path: &Path) -> Result<bool, Error> {
        let look = || match fs::symlink_metadata(path) {
            Ok(there) if there.is_dir() => Ok(Some(false)),
            Ok(_) => Err(Error::new(ErrorKind::Invalid, "open", path.display(), "it is not a folder")),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::io("open", path.display(), cause)),
        };
        // Mostly the folder exists. Seeing that needs no lock on its parent, while making it does.
        if let Some(made) = look()? {
            return Ok(made);
        }
        match self.perform(DiskOperation::CreateFolder(path), || fs::create_dir(path)) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                look()?.ok_or_else(|| Error::io("create", path.display(), cause))
            }
            Err(cause) => Err(Error::io("create", path.display(), cause)),
        }
    }

    /// Makes the content of an open file durable.
    pub(crate) fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        if !self.sync {
            return Ok(());
        }
        self.perform(DiskOperation::SyncFile(path), || file.sync_all())
    }

    /// Makes the content of a file durable that was found, and is open for reading: elsewhere than on Unix that cannot be.
    pub(crate) fn sync_found(&self, file: &File, path: &Path) -> Result<(), Error> {
        let synced = if cfg!(unix) { self.sync_file(file, path) } else { Ok(()) };
        synced.map_err(|cause| Error::io("sync", path.display(), cause))
    }

    /// Makes the names in a folder durable. On other systems than Unix the rename has done that.
    pub(crate) fn sync_folder(&self, path: &Path) -> Result<(), Error> {
        if !self.sync {
            return Ok(());
        }
        let synced = self.perform(DiskOperation::SyncFolder(path), || {
            if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
        });
        synced.or_else(|cause| match cause.kind() {
            // Some network file systems cannot sync a folder.
            io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
            _ => Err(Error::io("sync", path.display(), cause)),
        })
    }

    /// Gives a file another name, in place of a file that has it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.perform(DiskOperation::Rename { from, to }, || rename(from, to))
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.perform(DiskOperation::Remove(path), || fs::remove_file(path))
    }

    /// Removes a file if that is possible.
    pub(crate) fn try_remove(&self, path: &Path) {
        let _ = self.remove(path);
    }
}

#[cfg(not(windows))]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Windows may refuse to replace a file while another program has it open: a virus scanner, or BuildKit while it reads the
/// index. So a refused rename is tried again, for about a second.
#[cfg(windows)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    const SHARING_VIOLATION: i32 = 32;
    for _ in 0..50 {
        match fs::rename(from, to) {
            Err(cause)
                if cause.kind() == io::ErrorKind::PermissionDenied
                    || cause.raw_os_error() == Some(SHARING_VIOLATION) =>
            {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            done => return done,
        }
    }
    fs::rename(from, to)
}
