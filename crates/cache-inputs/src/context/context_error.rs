//! Why a folder cannot be read as a context.

use std::io;
use std::path::PathBuf;

use cache_keys::PatternError;

/// Why a folder cannot be read as a context.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The folder is no folder, or cannot be read.
    #[error("{} cannot be read as a context: {cause}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// An entry cannot be read.
    #[error("{} cannot be read: {cause}; if the build does not need it, add it to .dockerignore", path.display())]
    Entry {
        /// The entry.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A file changed its size while it was read.
    #[error("{} changed while it was read: run the command again when nothing writes to the folder", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The ignore file cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A pattern of the ignore file or of the options is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}
