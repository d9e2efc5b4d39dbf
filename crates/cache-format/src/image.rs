//! Image configs, and the inline caches inside them.
//!
//! Never reads a manifest: it is given one.

pub(crate) mod config;
pub(crate) mod inline_read;
pub(crate) mod inline_write;
