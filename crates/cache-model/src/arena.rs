//! Arenas: vectors with typed indices, and interned values.
//!
//! No other file of this crate indexes a slice.

pub(crate) mod index;
pub(crate) mod intern;
