//! The forms in which a cache is stored: packing a cache into blobs, and unpacking the root document again.
//!
//! A form decides which documents there are and where they hold the config and the layers; each has a file of its own.
//! All present forms have a manifest above the config, which is a document of its own, or the config of an image with the
//! records inside. Object stores keep no manifest: their root is the config, with annotated layers. Such a form packs no
//! metadata below the root, and its `CacheManifest` has the root for its config.

pub(crate) mod cache_manifest;
pub(crate) mod cache_origin;
mod docker_list;
pub(crate) mod form;
mod image_manifest;
mod inline_image;
pub(crate) mod not_a_cache;
mod oci_index;
pub(crate) mod pack;
mod rules;
pub(crate) mod unpack;
