//! What interrupted writers have left in `ingest/`: our staged files and parts, and the uploads of other programs.
//!
//! Of our own files, none that a process has locked is ever removed. containerd, whose store BuildKit uses, locks no file: the
//! age of an upload is that of its youngest file, which changes with each write.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cache_model::Digest;

use crate::Error;
use crate::layout::durability::disk::{Disk, DiskOperation};
use crate::layout::durability::staging::{PART_PREFIX, PREFIX};
use crate::layout::files::is_same_file;

/// The beginning of the names of blobs that a collection has taken out of their place.
const WITHDRAWN_PREFIX: &str = "bkcache-gc-";
/// How long a part is kept after it was last written.
const PART_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A file or folder in `ingest/` that an interrupted writer has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// Its path, beginning with that of the layout.
    pub path: PathBuf,
    /// Its size in bytes, with the files in it.
    pub bytes: u64,
    /// When it was last written; `None` where the file system does not say.
    pub modified: Option<SystemTime>,
}

impl Leftover {
    fn of(path: PathBuf, metadata: &Metadata) -> Self {
        Self { path, bytes: metadata.len(), modified: metadata.modified().ok() }
    }

    /// Whether a program of this crate has written it.
    pub(crate) fn is_ours(&self) -> bool {
        self.path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
    }
}

/// Whether something was written less than `age` ago. A time that is unknown or in the future counts as young.
pub(crate) fn is_younger_than(modified: Option<SystemTime>, age: Duration) -> bool {
    let elapsed = modified.and_then(|modified| modified.elapsed().ok());
    elapsed.is_none_or(|elapsed| elapsed < age)
}

/// The place of a blob that a collection takes out of `blobs/`.
pub(crate) fn withdrawn_path(ingest: &Path, digest: &Digest) -> PathBuf {
    ingest.join(format!("{WITHDRAWN_PREFIX}{}-{}", digest.algorithm().name(), digest.hex()))
}

/// The blobs that an interrupted collection has taken out of `blobs/`.
pub(crate) fn withdrawn(ingest: &Path) -> Vec<(Digest, Leftover)> {
    let of = |(name, leftover): (String, Leftover)| Some((digest_of(&name, WITHDRAWN_PREFIX)?, leftover));
    files(ingest).into_iter().filter_map(of).collect()
}

/// Our staged files that no process has locked, except parts: the remains of killed processes.
pub(crate) fn stale(ingest: &Path) -> Vec<Leftover> {
    let is_kept = |name: &str| [PART_PREFIX, WITHDRAWN_PREFIX].iter().any(|kept| name.starts_with(kept));
    let is_meant = |name: &str, _: &Leftover| name.starts_with(PREFIX) && !is_kept(name);
    unlocked(ingest, is_meant)
}

/// The parts that no process has locked, and that no put will continue: those whose blob is stored, and those that were last
/// written more than a day ago. A younger one may belong to a put that waits before it tries again.
pub(crate) fn abandoned_parts(ingest: &Path, is_stored: impl Fn(&Digest) -> bool) -> Vec<Leftover> {
    unlocked(ingest, |name, part| {
        let is_over = || {
            let digest = digest_of(name, PART_PREFIX);
            digest.is_none_or(|digest| is_stored(&digest)) || !is_younger_than(part.modified, PART_LIFE)
        };
        name.starts_with(PART_PREFIX) && is_over()
    })
}

/// What other programs have in the folder: uploads, under way or left.
pub(crate) fn foreign(ingest: &Path) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir(ingest) else { return Vec::new() };
    entries.flatten().filter_map(|entry| whole(entry.path())).filter(|upload| !upload.is_ours()).collect()
}

/// Whether something has the shape of an upload: a file, or a folder of files. Anything else is not removed.
pub(crate) fn is_upload(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let is_file = |entry: io::Result<fs::DirEntry>| {
        entry.and_then(|entry| entry.file_type()).is_ok_and(|found| found.is_file())
    };
    metadata.is_file()
        || metadata.is_dir() && fs::read_dir(path).is_ok_and(|mut entries| entries.all(is_file))
}

/// Removes one of our files unless a process has locked it meanwhile; whether it is gone.
pub(crate) fn remove_if_unlocked(disk: &Disk, path: &Path) -> bool {
    let Some(_locked) = lock(path) else { return false };
    disk.remove(path).is_ok()
}

/// Removes an upload of another program: a file, or a folder with files.
pub(crate) fn remove_foreign(disk: &Disk, path: &Path) -> Result<(), Error> {
    let failed = |cause| Error::io("remove", path.display(), cause);
    if !fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        return disk.remove(path).map_err(failed);
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        disk.remove(&entry.map_err(failed)?.path()).map_err(failed)?;
    }
    disk.perform(DiskOperation::RemoveFolder(path), || fs::remove_dir(path)).map_err(failed)
}

/// Our files in a folder that are meant, and that no process has locked.
fn unlocked(ingest: &Path, is_meant: impl Fn(&str, &Leftover) -> bool) -> Vec<Leftover> {
    let mut files = files(ingest);
    files.retain(|(name, file)| is_meant(name, file) && lock(&file.path).is_some());
    files.into_iter().map(|(_, file)| file).collect()
}

/// The regular files of a folder whose names are text.
fn files(folder: &Path) -> Vec<(String, Leftover)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let file = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
        Some((entry.file_name().into_string().ok()?, Leftover::of(entry.path(), &metadata)))
    };
    entries.flatten().filter_map(file).collect()
}

/// A file, or a folder with the files in it: their sizes together, and the time of the youngest.
fn whole(path: PathBuf) -> Option<Leftover> {
    let metadata = fs::symlink_metadata(&path).ok()?;
    if !metadata.is_dir() {
        return Some(Leftover::of(path, &metadata));
    }
    let mut whole = Leftover { bytes: 0, ..Leftover::of(path, &metadata) };
    for entry in fs::read_dir(&whole.path).ok()?.flatten() {
        if let Ok(metadata) = entry.metadata() {
            whole.bytes = whole.bytes.saturating_add(metadata.len());
            whole.modified = whole.modified.max(metadata.modified().ok());
        }
    }
    Some(whole)
}

fn digest_of(name: &str, prefix: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix(prefix)?.split_once('-')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The file at a path, locked; `None` if another process has locked it, or it has another name by now.
fn lock(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    (file.try_lock().is_ok() && is_same_file(&file, path)).then_some(file)
}

/// Whether an error says that something is gone already.
pub(crate) fn is_gone(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}
