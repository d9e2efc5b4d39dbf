//! Why the actions of a step cannot be carried out.

use std::fmt;

use cache_keys::{ContentError, PatternError, TreePath};

/// Why the actions of a step cannot be carried out on these trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotCarryOut {
    /// The files of an input are not at hand.
    NoSource,
    /// The build's record does not hold an action.
    Unrecorded,
    /// The actions do not stand on one another.
    NoChain,
    /// The accounts that translate an owner's name are not at hand.
    NoAccounts,
    /// The words of `--chmod` cannot be understood.
    Mode(String),
    /// A file may be an archive, which the step unpacks.
    Archive(Vec<u8>),
    /// A folder is in the place of a file.
    FolderInTheWay(Vec<u8>),
    /// Something else is in the place of a folder.
    NoFolder(Vec<u8>),
    /// A path leads through too many links.
    TooManyLinks(Vec<u8>),
    /// A path is missing, or leads through too many links.
    Path(ContentError),
    /// A pattern is malformed.
    Pattern(PatternError),
}

impl fmt::Display for CannotCarryOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &[u8]| TreePath(path.to_vec());
        match self {
            Self::NoSource => f.write_str("the files that it copies are not at hand"),
            Self::Unrecorded => f.write_str("the record does not hold what it does"),
            Self::NoChain => f.write_str("its actions do not follow one another"),
            Self::NoAccounts => f.write_str("the accounts that translate its owner's name are not at hand"),
            Self::Mode(words) => write!(f, "its mode {words:?} cannot be understood"),
            Self::Archive(path) => write!(f, "{} may be an archive, which it unpacks", shown(path)),
            Self::FolderInTheWay(path) => write!(f, "it would replace the folder {} by a file", shown(path)),
            Self::NoFolder(path) => write!(f, "{} is no folder", shown(path)),
            Self::TooManyLinks(path) => write!(f, "{} leads through too many links", shown(path)),
            Self::Path(error) => write!(f, "{error}"),
            Self::Pattern(error) => write!(f, "{error}"),
        }
    }
}

impl From<ContentError> for CannotCarryOut {
    fn from(error: ContentError) -> Self {
        Self::Path(error)
    }
}

impl From<PatternError> for CannotCarryOut {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}
