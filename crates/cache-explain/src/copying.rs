//! What the actions of a step do to files: forward, from the files of its inputs to a tree, and backward, from its layer to
//! the files that it copied.

mod actions;
mod added_file;
mod backward;
mod cannot_carry_out;
mod carry_out;
mod copier;
mod filter;
mod modes;
mod owners;
mod paths;
mod unpack;
mod wildcards;
mod written;

pub use added_file::{AddedFile, AddedFiles};

pub(crate) use actions::{ActionSource, actions_in_order};
pub(crate) use backward::{CopiedInput, CopiedLayer, Lost, found_sources, gives_headers, to_hash};
pub(crate) use cannot_carry_out::CannotCarryOut;
pub(crate) use carry_out::carry_out;
pub(crate) use filter::CopyFilter;
pub(crate) use owners::Accounts;
pub(crate) use paths::{above, below, is_hidden, join, split, through_links};
pub(crate) use wildcards::named_files;
pub(crate) use written::WrittenTree;
