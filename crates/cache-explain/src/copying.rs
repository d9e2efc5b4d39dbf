//! What the actions of a step do to files: forward, from the files of its inputs to a tree, and backward, from its layer to
//! the files that it copied.

mod carry_out;
mod copier;
mod filter;
mod modes;
mod owners;
mod paths;
mod wildcards;
mod written;

use std::fmt;

use cache_keys::{ContentError, FileAction, FileOp, PatternError, Tree, TreePath};

pub(crate) use carry_out::carry_out;
pub(crate) use owners::Accounts;
pub(crate) use paths::{above, below, is_at_or_below, join, split, through_links};
pub(crate) use written::{Write, WrittenTree};

/// An input from which actions copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActionSource<'a> {
    /// Its files.
    pub(crate) tree: &'a Tree,
    /// Whether it is a folder that a client sends. Extended attributes of such files are in checksums, and are lost on the way
    /// to a builder's disk.
    pub(crate) is_sent: bool,
}

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

/// The actions that lead to an output, in order, if the first one changes an input or nothing and each other one what the one
/// before it made.
pub(crate) fn actions_in_order(
    op: &FileOp,
    output: usize,
    inputs: usize,
) -> Result<&[FileAction], CannotCarryOut> {
    let last = op.actions.iter().position(|action| action.output == Some(output));
    let actions = last.and_then(|last| op.actions.get(..=last)).ok_or(CannotCarryOut::NoChain)?;
    let stands_on_the_one_before = |(position, action): (usize, &FileAction)| match position.checked_sub(1) {
        None => action.input.is_none_or(|input| input < inputs),
        Some(before) => action.input == Some(inputs + before),
    };
    let is_chain = actions.iter().enumerate().all(stands_on_the_one_before);
    if is_chain { Ok(actions) } else { Err(CannotCarryOut::NoChain) }
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
