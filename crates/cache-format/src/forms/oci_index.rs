//! A cache as an OCI index: the layers as entries, in the config's order, then the config.
//!
//! Docker's manifest list has the same structure, and uses the functions of this file.

use cache_model::{Descriptor, Dialect, MediaType};

use crate::forms::rules::{FormRules, is_config, write_config};
use crate::{ImageIndex, ManifestOrIndex};

pub(crate) static RULES: FormRules = FormRules {
    name: "index",
    media_type: MediaType::OCI_INDEX,
    is_image_manifest: false,
    dialect: Dialect::Oci,
    config_type: MediaType::CACHE_CONFIG,
    write: write_config,
    split: |document| match document {
        ManifestOrIndex::Index(index) if index.media_type != MediaType::DOCKER_LIST => split_entries(index),
        _ => None,
    },
    join: |config, layers| ManifestOrIndex::Index(ImageIndex::new(join_entries(config, layers))),
};

/// The config is the last entry of its media type, at any position. Other entries of that type are no layers.
pub(crate) fn split_entries(index: &ImageIndex) -> Option<(&Descriptor, Vec<Descriptor>)> {
    let config = index.manifests.iter().rfind(|entry| is_config(entry))?;
    Some((config, index.manifests.iter().filter(|entry| !is_config(entry)).cloned().collect()))
}

pub(crate) fn join_entries(config: Descriptor, mut layers: Vec<Descriptor>) -> Vec<Descriptor> {
    layers.push(config);
    layers
}
