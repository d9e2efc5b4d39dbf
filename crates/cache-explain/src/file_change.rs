//! A file that differs between two trees, as data.

use std::fmt;

/// A path that differs between the older files and the newer ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileChange {
    /// The path from the root of the source, without a leading slash. It need not be UTF-8.
    pub path: Vec<u8>,
    /// What is different.
    pub change: FileChangeKind,
    /// The older entry; `None` if it was added.
    pub old: Option<FileFacts>,
    /// The newer entry; `None` if it was removed.
    pub new: Option<FileFacts>,
}

/// What is different about a path. The first of these that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FileChangeKind {
    /// Only the newer files have it.
    Added,
    /// Only the older files have it.
    Removed,
    /// It is of another type, such as a folder that was a file.
    Type,
    /// Its bytes, or the target of the link, are others.
    Modified,
    /// Its permission bits.
    Mode,
    /// Its user or group.
    Owner,
    /// Its extended attributes.
    Xattr,
}

/// What is known of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileFacts {
    /// Its type.
    pub kind: FileType,
    /// Its size in bytes; 0 for all but files.
    pub size: u64,
    /// Its permission bits, with 04000 setuid, 02000 setgid and 01000 sticky.
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// The type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileType {
    /// A file, or a hard link.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A device node or a named pipe.
    Special,
}

impl FileChange {
    /// The older size in bytes.
    pub fn old_size(&self) -> Option<u64> {
        self.old.map(|facts| facts.size)
    }

    /// The newer size in bytes.
    pub fn new_size(&self) -> Option<u64> {
        self.new.map(|facts| facts.size)
    }
}

impl FileChangeKind {
    /// The name in the program's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Type => "type",
            Self::Modified => "modified",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Xattr => "xattr",
        }
    }
}

impl fmt::Display for FileChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FileType {
    /// The name in the program's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "dir",
            Self::Symlink => "symlink",
            Self::Special => "special",
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
