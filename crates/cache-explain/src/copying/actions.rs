//! The actions of a step that changes files, in the order in which they are carried out.

use cache_keys::{FileAction, FileOp, Tree};

use crate::copying::added_file::AddedFiles;
use crate::copying::cannot_carry_out::CannotCarryOut;

/// An input from which actions copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActionSource<'a> {
    /// Its files.
    pub(crate) tree: &'a Tree,
    /// Whether it is a folder that a client sends. Extended attributes of such files are in checksums, and are lost on the way
    /// to a builder's disk.
    pub(crate) is_sent: bool,
    /// Those of its files that were looked at, since they may be archives.
    pub(crate) added: Option<&'a AddedFiles>,
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
