//! The forms in which a cache is stored: packing a cache into blobs, and unpacking the root document again.
//!
//! A form decides which documents there are and where they hold the config and the layers; each has a file of its own.
//! All forms of today have a manifest above the config. Object stores keep no manifest: there the config, whose layers
//! are annotated, is the root, so such a form packs no metadata below the root, and its `CacheManifest` has the root
//! itself for its config.

pub(crate) mod cache_manifest;
pub(crate) mod cache_origin;
mod docker_list;
pub(crate) mod form;
mod image_manifest;
mod oci_index;
pub(crate) mod pack;
mod rules;
pub(crate) mod unpack;
