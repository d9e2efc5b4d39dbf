//! A cache as an OCI image manifest: the cache config takes the place of the image's config.
//!
//! An image manifest with Docker's media types is never written, as BuildKit refuses one; it is read.

use cache_model::{Descriptor, Dialect, MediaType};

use crate::forms::rules::{FormRules, is_config, write_config};
use crate::{ImageManifest, ManifestOrIndex};

pub(crate) static RULES: FormRules = FormRules {
    name: "manifest",
    media_type: MediaType::OCI_MANIFEST,
    is_image_manifest: true,
    dialect: Dialect::Oci,
    config_type: MediaType::CACHE_CONFIG,
    write: write_config,
    split,
    join: |config, layers| ManifestOrIndex::Manifest(ImageManifest::new(config, layers)),
};

fn split(document: &ManifestOrIndex) -> Option<(&Descriptor, Vec<Descriptor>)> {
    match document {
        ManifestOrIndex::Manifest(manifest) if is_config(&manifest.config) => {
            Some((&manifest.config, manifest.layers.clone()))
        }
        _ => None,
    }
}
