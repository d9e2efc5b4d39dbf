//! A layer from which the sources of its step are to be found, and what can be lost.

use cache_keys::{ContentRule, FileOp, LayerTree, Tree};
use cache_model::RecordDigest;

use crate::copying::owners::Accounts;

/// A step that copies, its layer, and what is known about it.
pub(crate) struct CopiedLayer<'a> {
    pub(crate) op: &'a FileOp,
    pub(crate) output: usize,
    pub(crate) layer: &'a LayerTree,
    /// The layers below.
    pub(crate) below: &'a Tree,
    pub(crate) accounts: Option<Accounts<'a>>,
    pub(crate) inputs: &'a [CopiedInput],
}

/// What is known about an input from which a step copies.
#[derive(Clone, Debug, Default)]
pub(crate) struct CopiedInput {
    /// Whether it is a folder that a client sends, or a download: all of it is owned by root.
    pub(crate) is_sent: bool,
    /// How its content counts. Without a rule it is not compared.
    pub(crate) rule: Option<ContentRule>,
    /// The contents that it can have.
    pub(crate) contents: Vec<RecordDigest>,
}

/// What of a source a layer does not keep, so that the source may differ from what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lost {
    /// Names: a wildcard can match folders, whose names are not copied.
    Names,
    /// The archive that was unpacked.
    Archive,
    /// Which of several sources an entry came from.
    Overlap,
    /// Permissions, under `--chmod`.
    Modes,
    /// Owners, under `--chown`, or of the copied folder.
    Owners,
    /// Files that the layers below have already.
    Unchanged,
}
