//! Paths in a layout, and opening the files there without following a symbolic link. It changes nothing.
//!
//! A path is made only of the layout's root, fixed names and a digest's strict hexadecimal digits.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cache_model::{Algorithm, Digest};

use crate::{Error, ErrorKind};

/// The folder of an algorithm's blobs.
pub(crate) fn blob_folder(root: &Path, algorithm: Algorithm) -> PathBuf {
    root.join("blobs").join(algorithm.name())
}

/// The path of a blob.
pub(crate) fn blob_path(root: &Path, digest: &Digest) -> PathBuf {
    blob_folder(root, digest.algorithm()).join(digest.hex())
}

/// Opens a blob, and gives its size in bytes. Refuses a symbolic link and anything that is no regular file.
pub(crate) fn open_blob(operation: &'static str, root: &Path, digest: &Digest) -> Result<(File, u64), Error> {
    let folder = blob_folder(root, digest.algorithm());
    let file = match open_inside(&folder, &digest.hex()) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            if !root.is_dir() {
                // The whole layout has vanished, perhaps with a mount, so whether it has the blob is unknown.
                return Err(Error::new(
                    ErrorKind::Other,
                    operation,
                    root.display(),
                    "the layout has vanished",
                ));
            }
            let reason = format_args!("there is no such blob in {}", root.display());
            return Err(Error::new(ErrorKind::NotFound, operation, digest, reason).with_cause(cause));
        }
        Err(cause) if is_symlink(&folder) || is_symlink(&blob_path(root, digest)) => {
            let reason = "it is a symbolic link or lies behind one, which is not followed";
            let path = blob_path(root, digest);
            return Err(Error::new(ErrorKind::Invalid, operation, path.display(), reason).with_cause(cause));
        }
        Err(cause) => return Err(Error::io(operation, blob_path(root, digest).display(), cause)),
    };
    let path = || blob_path(root, digest);
    let metadata = file.metadata().map_err(|cause| Error::io(operation, path().display(), cause))?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(Error::new(ErrorKind::Invalid, operation, path().display(), "it is not a regular file"))
    }
}

/// Refuses a layout with a folder that is a symbolic link: the files in it may belong to others.
pub(crate) fn refuse_linked_folders(operation: &'static str, root: &Path) -> Result<(), Error> {
    let blobs = [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| blob_folder(root, algorithm));
    let folders = [root.join("ingest"), root.join("blobs")].into_iter().chain(blobs);
    let Some(linked) = folders.into_iter().find(|folder| is_symlink(folder)) else { return Ok(()) };
    let reason = "it is a symbolic link, so the files in it may belong to others; nothing is deleted unless it is a folder";
    Err(Error::new(ErrorKind::Unsupported, operation, linked.display(), reason))
}

fn is_symlink(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Opens a file for reading; neither it nor its folder may be a symbolic link.
#[cfg(unix)]
fn open_inside(folder: &Path, name: &str) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open, openat};
    let no_link = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | no_link, Mode::empty())?;
    // Without NONBLOCK, opening a pipe in the blob's place would wait for ever.
    Ok(openat(&folder, name, OFlags::RDONLY | OFlags::NONBLOCK | no_link, Mode::empty())?.into())
}

/// Opens a file for reading; neither it nor its folder may be a symbolic link.
#[cfg(not(unix))]
fn open_inside(folder: &Path, name: &str) -> io::Result<File> {
    let path = folder.join(name);
    if is_symlink(folder) || is_symlink(&path) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    open_at_once(&path)
}

/// Opens a file for reading, also behind a link. Does not wait for a pipe.
#[cfg(unix)]
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// Opens a file for reading, also behind a link.
#[cfg(not(unix))]
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    // FILE_FLAG_BACKUP_SEMANTICS: a folder is opened as on Unix, so that the caller can say what is in the file's place.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, 0x0200_0000);
    options.open(path)
}

/// Reads a small file whole; `None` where there is none, the error `too_large` above `limit` bytes,
/// [`ErrorKind::Invalid`] where it is no regular file.
pub(crate) fn read_small(
    path: &Path,
    limit: u64,
    too_large: impl FnOnce() -> Error,
) -> Result<Option<Vec<u8>>, Error> {
    let fail = |cause| Error::io("read", path.display(), cause);
    let file = match open_at_once(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(fail(cause)),
    };
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(Error::new(ErrorKind::Invalid, "read", path.display(), "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(Some(bytes))
}

/// Whether a file that was made at a path still has a name: none of ours is renamed before it is locked.
#[cfg(unix)]
pub(crate) fn has_name(file: &File, _path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

/// Whether a file that was made at a path still has that name.
#[cfg(not(unix))]
pub(crate) fn has_name(file: &File, path: &Path) -> bool {
    is_same_file(file, path)
}

/// Whether a path leads to this open file.
#[cfg(unix)]
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => open.dev() == there.dev() && open.ino() == there.ino(),
        _ => false,
    }
}

/// Whether a path leads to this open file.
#[cfg(not(unix))]
pub(crate) fn is_same_file(_file: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_file())
}
