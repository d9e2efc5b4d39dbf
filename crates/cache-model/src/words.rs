//! The words of the field: digests, media types, times, descriptors, JSON text, numbers. Each is small and strict, and none of
//! them knows of the graph.

pub(crate) mod descriptor;
pub(crate) mod digest;
pub mod json;
pub(crate) mod media_type;
pub(crate) mod number;
pub(crate) mod one_line;
pub(crate) mod record_digest;
pub(crate) mod timestamp;
