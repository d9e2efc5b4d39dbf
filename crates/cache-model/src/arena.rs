//! Arenas: vectors with typed indices, interned values, and a walk over nodes.
//!
//! Typed indices and interned values also serve `cache-edit`. They are no part of the documented interface. No other file of
//! this crate indexes a slice.

pub(crate) mod index;
pub(crate) mod intern;
pub(crate) mod walk;

pub use index::{Idx, IndexVec};
pub use intern::Interner;
