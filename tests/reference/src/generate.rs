//! Random caches and trees to try the rules with.
//!
//! They are made from a [`Dice`], so that a seed or the bytes of a fuzzer decide everything.

pub(crate) mod build;
pub(crate) mod configs;
pub(crate) mod content;
pub(crate) mod dice;
pub(crate) mod text;
pub(crate) mod world;
