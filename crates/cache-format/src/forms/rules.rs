//! The rules of a form: its name, its dialect, and the places of the config and the layers in a document.
//!
//! One value for each form, in the form's own file. Code outside this folder never asks which form it has.

use cache_model::{Descriptor, Dialect, MediaType};

use crate::ManifestOrIndex;

/// The config of a cache and its layers.
pub(crate) type ConfigAndLayers<'a> = (&'a Descriptor, Vec<Descriptor>);

pub(crate) struct FormRules {
    /// The name that users type.
    pub(crate) name: &'static str,
    /// The media type of the root document.
    pub(crate) media_type: MediaType,
    /// Whether the root document is an image manifest.
    pub(crate) is_image_manifest: bool,
    /// The dialect of the layers' media types.
    pub(crate) dialect: Dialect,
    /// The config and the layers of a document in this form; `None` for a document that is no cache in this form.
    pub(crate) split: fn(&ManifestOrIndex) -> Option<ConfigAndLayers<'_>>,
    /// The document that names a config and layers.
    pub(crate) join: fn(config: Descriptor, layers: Vec<Descriptor>) -> ManifestOrIndex,
}

pub(crate) fn is_config(descriptor: &Descriptor) -> bool {
    descriptor.media_type == MediaType::CACHE_CONFIG
}
