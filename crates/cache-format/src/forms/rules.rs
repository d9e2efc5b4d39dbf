//! The rules of a form: its name, its dialect, its config, and the places of the config and the layers in a document.
//!
//! One value for each form, in the form's own file. Code outside this folder never asks which form it has.

use cache_model::{CacheConfig, Descriptor, Dialect, MediaType};

use crate::{FormatError, ManifestOrIndex, encode_config};

/// The config of a cache and its layers.
pub(crate) type ConfigAndLayers<'a> = (&'a Descriptor, Vec<Descriptor>);
/// The bytes of a config, and the layers that the root lists.
pub(crate) type ConfigAndListed = (Vec<u8>, Vec<Descriptor>);

pub(crate) struct FormRules {
    /// The name that users type.
    pub(crate) name: &'static str,
    /// The media type of the root document.
    pub(crate) media_type: MediaType,
    /// Whether the root document is an image manifest.
    pub(crate) is_image_manifest: bool,
    /// The dialect of the layers' media types.
    pub(crate) dialect: Dialect,
    /// The media type of the config.
    pub(crate) config_type: MediaType,
    /// The config's bytes and the layers that the root lists, from a config and a descriptor of each of its layers.
    pub(crate) write: fn(&CacheConfig, &[Descriptor]) -> Result<ConfigAndListed, FormatError>,
    /// The config and the layers of a document in this form; `None` for a document that is no cache in this form.
    pub(crate) split: fn(&ManifestOrIndex) -> Option<ConfigAndLayers<'_>>,
    /// The document that names a config and layers.
    pub(crate) join: fn(config: Descriptor, layers: Vec<Descriptor>) -> ManifestOrIndex,
}

/// A cache config as a document of its own, with each of its layers in the root.
pub(crate) fn write_config(
    config: &CacheConfig,
    layers: &[Descriptor],
) -> Result<ConfigAndListed, FormatError> {
    Ok((encode_config(config), layers.to_vec()))
}

pub(crate) fn is_config(descriptor: &Descriptor) -> bool {
    descriptor.media_type == MediaType::CACHE_CONFIG
}
