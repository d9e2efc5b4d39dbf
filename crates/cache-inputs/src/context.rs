//! A local folder as the tree that a client sends to BuildKit as a build's context.

mod attributes;
mod context_error;
mod hash;
mod walk;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cache_ingest::{Event, Progress};
use cache_keys::{SentFilter, Tree, ignore_patterns};
use rayon::prelude::*;

use crate::also::{AlsoHeaders, no_headers};
use hash::FileHasher;
use walk::{ContextEntry, walk};

pub use context_error::ContextError;

/// What is read of a folder, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct ContextOptions {
    /// The file that says what a client leaves out.
    pub ignore: IgnoreFile,
    /// If there are any, only entries that these patterns match are sent (`local.includepattern` of a local source).
    pub include: Vec<String>,
    /// Entries that these patterns match are not sent, after the patterns of the ignore file (`local.excludepatterns`, for a
    /// build that is not made from a Dockerfile).
    pub exclude: Vec<String>,
    /// Further headers under which files are hashed.
    pub also: AlsoHeaders,
}

/// The file with the patterns of what a client leaves out of a context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IgnoreFile {
    /// `.dockerignore` in the folder, if there is one, as for a named context.
    #[default]
    InFolder,
    /// The file beside this Dockerfile that is named as the Dockerfile with `.dockerignore` behind it; if there is none, that
    /// in the folder.
    OfDockerfile(PathBuf),
    /// This file.
    Given(PathBuf),
    /// None: everything is sent that the other options do not leave out.
    Absent,
}

/// Reads a folder as a client sends it to BuildKit: filtered by patterns, owned by root, links not followed. All processors
/// hash files. At a time one piece of a file is in memory for each; the tree keeps about 200 bytes for each entry.
///
/// Progress is reported as [`Event::ReadingFiles`] and [`Event::FilesRead`].
///
/// # Errors
///
/// See [`ContextError`].
pub fn read_context(
    folder: &Path,
    options: &ContextOptions,
    progress: &dyn Progress,
) -> Result<Tree, ContextError> {
    let of_folder = |cause| ContextError::Folder { path: folder.to_owned(), cause };
    // As the client does, for otherwise a link to a folder would be an empty context.
    let root = fs::canonicalize(folder).map_err(of_folder)?;
    let mut exclude = patterns_of(&root, &options.ignore)?;
    exclude.extend(options.exclude.iter().cloned());
    let entries = walk(&root, &SentFilter::new(&options.include, &exclude)?)?;
    let sizes = entries.iter().filter_map(ContextEntry::file_size);
    let (files, bytes) = sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
    progress.event(&Event::ReadingFiles { folder: &folder.to_string_lossy(), files, bytes });
    let has_failed = AtomicBool::new(false);
    let hasher = FileHasher { root: &root, also: &options.also, progress };
    let hashed = entries.into_par_iter().map_init(Vec::new, |buffer, entry| {
        // The error of another file is the one that counts.
        if has_failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let hashed = hasher.hash(&entry, buffer);
        has_failed.fetch_or(hashed.is_err(), Ordering::Relaxed);
        hashed.map(|hashed| Some((entry.path, hashed)))
    });
    let hashed: Vec<_> = hashed.collect::<Result<_, ContextError>>()?;
    let mut tree = Tree::sent();
    for (path, entry) in hashed.into_iter().flatten() {
        tree.insert(&path, entry);
    }
    Ok(tree)
}

/// The patterns of the ignore file that counts.
fn patterns_of(root: &Path, ignore: &IgnoreFile) -> Result<Vec<String>, ContextError> {
    let in_folder = root.join(".dockerignore");
    match ignore {
        IgnoreFile::Absent => Ok(Vec::new()),
        IgnoreFile::Given(path) => {
            let file = fs::read(path).map_err(|cause| unreadable(path, cause))?;
            Ok(ignore_patterns(&file))
        }
        IgnoreFile::InFolder => Ok(found(&in_folder)?.unwrap_or_default()),
        IgnoreFile::OfDockerfile(dockerfile) => {
            let mut beside = dockerfile.clone().into_os_string();
            beside.push(".dockerignore");
            match found(Path::new(&beside))? {
                Some(patterns) => Ok(patterns),
                None => Ok(found(&in_folder)?.unwrap_or_default()),
            }
        }
    }
}

/// The patterns of a file, if it exists.
fn found(path: &Path) -> Result<Option<Vec<String>>, ContextError> {
    match fs::read(path) {
        Ok(file) => Ok(Some(ignore_patterns(&file))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => Err(unreadable(path, cause)),
    }
}

fn unreadable(path: &Path, cause: std::io::Error) -> ContextError {
    ContextError::IgnoreFile { path: path.to_owned(), cause }
}

impl Default for ContextOptions {
    fn default() -> Self {
        Self { ignore: IgnoreFile::default(), include: Vec::new(), exclude: Vec::new(), also: no_headers() }
    }
}

impl std::fmt::Debug for ContextOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ignore, include, exclude, also: _ } = self;
        f.debug_struct("ContextOptions")
            .field("ignore", ignore)
            .field("include", include)
            .field("exclude", exclude)
            .finish_non_exhaustive()
    }
}
