//! The index of a layout, `index.json`: its text, its entries, the names in it, and how it is replaced.
//!
//! Nothing here reads or writes a blob.

mod by_name;
pub(crate) mod document;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod locked;
mod members;
pub(crate) mod publish;
