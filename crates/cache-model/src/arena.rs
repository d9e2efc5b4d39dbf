//! Arenas: vectors that only a typed index of their own kind indexes, and interned values. No other file of this crate
//! indexes.

pub(crate) mod index;
pub(crate) mod intern;
