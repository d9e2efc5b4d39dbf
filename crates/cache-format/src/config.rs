//! Cache configs, `application/vnd.buildkit.cacheconfig.v0`: from JSON to data and back.
//!
//! Never checks what the records mean: that is `cache-model`'s part.

pub(crate) mod decode;
pub(crate) mod encode;
