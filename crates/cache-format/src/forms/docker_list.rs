//! A cache as a Docker manifest list: an index in Docker's words, layers included.
//!
//! It differs from the OCI index in media types only.

use cache_model::{Dialect, MediaType};

use crate::forms::oci_index::{join_entries, split_entries};
use crate::forms::rules::{FormRules, write_config};
use crate::{ImageIndex, ManifestOrIndex};

pub(crate) static RULES: FormRules = FormRules {
    name: "docker",
    media_type: MediaType::DOCKER_LIST,
    is_image_manifest: false,
    dialect: Dialect::Docker,
    config_type: MediaType::CACHE_CONFIG,
    write: write_config,
    split: |document| match document {
        ManifestOrIndex::Index(index) if index.media_type == MediaType::DOCKER_LIST => split_entries(index),
        _ => None,
    },
    join: |config, layers| {
        let mut index = ImageIndex::new(join_entries(config, layers));
        index.media_type = MediaType::DOCKER_LIST;
        ManifestOrIndex::Index(index)
    },
};
