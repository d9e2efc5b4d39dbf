//! Why an archive is no layer, or does not fit the layers below it.

use super::TreePath;

/// Why the entries of a layer cannot be determined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// It has more entries than the limit.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// Its names, targets of links and extended attributes are longer than the limit.
    #[error("its names have more than {limit} bytes")]
    TooManyNames {
        /// The limit in bytes.
        limit: usize,
    },
    /// A path or the text of a link is longer than Linux takes.
    #[error("{name} has a path or a link of more than 4,095 bytes")]
    TooLong {
        /// The start of the name.
        name: TreePath,
    },
    /// A file stands where a name needs a folder.
    #[error("{name} is below a file")]
    BelowFile {
        /// The name.
        name: TreePath,
    },
    /// A name leads through more links than containerd follows.
    #[error("{name} leads through too many symbolic links")]
    TooManyLinks {
        /// The name.
        name: TreePath,
    },
    /// A whiteout of nothing, or of its own folder.
    #[error("{name} is a whiteout of no file")]
    InvalidWhiteout {
        /// The name.
        name: TreePath,
    },
    /// A whiteout of an entry of the same layer: some ways to unpack a layer remove the entry, others fail.
    #[error("{name} is a whiteout of an entry of the same layer")]
    HiddenEntry {
        /// The name of the whiteout.
        name: TreePath,
    },
    /// A hard link to a path at which there is no file.
    #[error("{name} is a hard link to {target}, which is no file")]
    NoTarget {
        /// The name of the link.
        name: TreePath,
        /// The path.
        target: TreePath,
    },
    /// A hard link with another mode, owner or capability than its file.
    #[error("{name} is a hard link to {target}, but has another mode, owner or capability")]
    OtherHeader {
        /// The name of the link.
        name: TreePath,
        /// The path of the file.
        target: TreePath,
    },
}
