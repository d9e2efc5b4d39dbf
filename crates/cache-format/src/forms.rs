//! The forms in which a cache's config and layers are named.
//!
//! Pure: from descriptors to the bytes of a manifest, and from a document to descriptors.

pub(crate) mod cache_manifest;
pub(crate) mod cache_origin;
