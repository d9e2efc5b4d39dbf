//! Arenas: vectors with typed indices, interned values, and a walk over nodes.
//!
//! For this crate and those that work on graphs beside it. No other file of this crate indexes a slice.

pub(crate) mod index;
pub(crate) mod intern;
pub(crate) mod walk;

pub use index::{Idx, IndexVec, Inputs, Rows};
pub use intern::Interner;
