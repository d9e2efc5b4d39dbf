//! The commands, a file each: arguments, source, destination, one call of a library, report.
//!
//! What they share stands in the modules beside this one. No command uses another.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod inspect;
pub(crate) mod label;
pub(crate) mod layers;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod manifest;
pub(crate) mod merge;
pub(crate) mod predict;
pub(crate) mod prune;
pub(crate) mod repair;
pub(crate) mod rm;
pub(crate) mod tag;
pub(crate) mod verify;
pub(crate) mod why;
