//! Staged files: made under `ingest/`, locked while they are written, renamed to their place or removed.
//!
//! A part is a staged file that is named by the digest of its blob, and is kept when its writer is interrupted. The next
//! writer of the blob continues it. containerd uses the folder too.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cache_model::Digest;

use crate::layout::durability::clone::{CopyError, copy_piece, reflink};
use crate::layout::durability::disk::{Disk, DiskOperation};
use crate::layout::files::{has_name, is_same_file};
use crate::random::random;
use crate::{Error, ErrorKind};

/// The beginning of the names of our staged files.
pub(crate) const PREFIX: &str = "bkcache-";
/// The beginning of the names of parts.
pub(crate) const PART_PREFIX: &str = "bkcache-part-";
/// How many names are tried before giving up. That even one is taken is unlikely.
const NAMES: u32 = 16;

/// A staged file. Dropping it removes it, unless it is a part that is [kept](Self::keep).
#[derive(Debug)]
pub(crate) struct StagedFile {
    disk: Disk,
    file: File,
    path: PathBuf,
    /// How many bytes it has.
    len: u64,
    is_part: bool,
    /// Whether dropping it leaves it in place.
    stays: bool,
}

impl StagedFile {
    /// Makes and locks a new file in `folder`; a read-only one is so for others from the start.
    pub(crate) fn create(disk: &Disk, folder: &Path, read_only: bool) -> Result<Self, Error> {
        for _ in 0..NAMES {
            let path = folder.join(format!("{PREFIX}{:016x}", random()));
            let file = match disk.perform(DiskOperation::CreateFile(&path), || open_new(&path, read_only)) {
                Ok(file) => file,
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(cause) => return Err(Error::io("create", path.display(), cause)),
            };
            match file.try_lock() {
                // Before it was locked, another process may have removed it as stale.
                Ok(()) if has_name(&file, &path) => {
                    return Ok(Self { disk: disk.clone(), file, path, len: 0, is_part: false, stays: false });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(cause)) => {
                    disk.try_remove(&path);
                    return Err(Error::io("lock", path.display(), cause));
                }
            }
        }
        Err(Error::new(ErrorKind::Other, "create", folder.display(), "no name for a new file could be found"))
    }

    /// Opens and locks the part of a blob, positioned at its start, or makes one. `None` if another process writes it, or
    /// if it cannot be used.
    ///
    /// Only Unix has parts. Elsewhere a file that was renamed before it was locked cannot be recognised.
    pub(crate) fn part(disk: &Disk, folder: &Path, digest: &Digest) -> Result<Option<Self>, Error> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let path = folder.join(format!("{PART_PREFIX}{}-{}", digest.algorithm().name(), digest.hex()));
        let create = || disk.perform(DiskOperation::CreateFile(&path), || open_new(&path, false));
        let opened = match open_again(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => create(),
            Err(_) => return Ok(None),
            opened => opened,
        };
        let file = match opened {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(cause) => return Err(Error::io("create", path.display(), cause)),
        };
        // Before it was locked, it may have been removed, or renamed to the place of its blob.
        if file.try_lock().is_err() || !is_same_file(&file, &path) {
            return Ok(None);
        }
        let Some(metadata) = file.metadata().ok().filter(has_one_name) else { return Ok(None) };
        Ok(Some(Self { disk: disk.clone(), file, path, len: metadata.len(), is_part: true, stays: false }))
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Leaves a part in place for the next writer of its blob.
    pub(crate) fn keep(mut self) {
        self.stays = self.is_part && self.len > 0;
    }

    /// Opens the file once more, to be read from its start.
    pub(crate) fn reader(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(|cause| self.error("open", cause))
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let len = bytes.len() as u64;
        self.disk
            .perform(self.write_of(len), || (&self.file).write_all(bytes))
            .map_err(|cause| self.error("write", cause))?;
        self.len += len;
        Ok(())
    }

    /// Shares the blocks of a file of `len` bytes, if the file system can.
    pub(crate) fn reflink(&self, from: &File, len: u64) -> bool {
        self.disk.perform(self.write_of(len), || reflink(from, &self.file)).is_ok()
    }

    /// Appends at most `limit` bytes from a file's position, and gives how many: 0 only at its end.
    pub(crate) fn copy_piece(&mut self, from: &File, limit: u64) -> Result<u64, CopyError> {
        let copied = self.disk.perform(self.write_of(limit), || match copy_piece(from, &self.file, limit) {
            Err(CopyError::Write(cause)) => Err(cause),
            copied => Ok(copied),
        });
        let copied = copied.map_err(CopyError::Write)??;
        self.len += copied;
        Ok(copied)
    }

    fn write_of(&self, at_most: u64) -> DiskOperation<'_> {
        DiskOperation::Write { path: &self.path, offset: self.len, at_most }
    }

    /// Makes the content durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.disk.sync_file(&self.file, &self.path).map_err(|cause| self.error("sync", cause))
    }

    /// Renames it to its place, and replaces a file there.
    pub(crate) fn rename(mut self, to: &Path) -> Result<(), Error> {
        let renamed = self.disk.rename(&self.path, to);
        renamed.map_err(|cause| Error::io("rename to", to.display(), cause))?;
        self.stays = true;
        if self.is_part {
            self.try_make_read_only(to);
        }
        Ok(())
    }

    /// Makes a part read-only in its place, as other staged blobs are from the start. A read-only part could not be continued
    /// by its owner. As in containerd, it is no error where the file system has no such permission.
    fn try_make_read_only(&self, place: &Path) {
        let _ = self.disk.perform(DiskOperation::MakeReadOnly(place), || {
            let mut permissions = self.file.metadata()?.permissions();
            permissions.set_readonly(true);
            self.file.set_permissions(permissions)
        });
    }

    pub(crate) fn error(&self, operation: &'static str, cause: io::Error) -> Error {
        Error::io(operation, self.path.display(), cause)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.stays {
            // If that fails, it is removed as stale later.
            self.disk.try_remove(&self.path);
        }
    }
}

#[cfg_attr(
    not(unix),
    allow(unused_variables, reason = "Windows has no permission of this kind for a new file")
)]
fn open_new(path: &Path, read_only: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    if read_only {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
    }
    options.open(path)
}

/// Opens a part for reading and writing. Follows no link, and does not wait for a pipe.
fn open_again(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(no_link.bits().cast_signed());
    }
    options.open(path)
}

/// Whether a file is regular and has one name only. Writing to a file with a second name would change that one, too.
fn has_one_name(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    let is_alone = std::os::unix::fs::MetadataExt::nlink(metadata) == 1;
    #[cfg(not(unix))]
    let is_alone = true;
    metadata.is_file() && is_alone
}
