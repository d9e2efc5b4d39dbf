//! Arenas: vectors with typed indices, interned values, and a walk over nodes.
//!
//! No other file of this crate indexes a slice.

pub(crate) mod index;
pub(crate) mod intern;
pub(crate) mod walk;
