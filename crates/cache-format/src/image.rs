//! Image configs, and the inline caches inside them.
//!
//! Never reads a manifest: it is given one.

pub(crate) mod config;
mod encode;
pub(crate) mod inline_read;
pub(crate) mod inline_write;
pub(crate) mod positions;
pub(crate) mod stacks;
