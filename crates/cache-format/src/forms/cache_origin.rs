//! The place of a cache in a store: under a manifest of its own, or inside an image.

use cache_model::Descriptor;

use crate::forms::form::Form;

/// The place of a cache in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheOrigin {
    /// A manifest of a cache, in a form, with this config.
    Manifest {
        /// The form of the manifest.
        form: Form,
        /// The descriptor of the config.
        config: Descriptor,
    },
    /// Inside the config of an image.
    Inline {
        /// The descriptor of the image's manifest.
        image: Descriptor,
        /// The descriptor of the image's config.
        config: Descriptor,
    },
}

impl CacheOrigin {
    /// The form of the cache.
    pub fn form(&self) -> Form {
        match self {
            Self::Manifest { form, .. } => *form,
            Self::Inline { .. } => Form::Inline,
        }
    }

    /// The descriptor of the manifest of the image that the cache is inside of.
    pub fn image(&self) -> Option<&Descriptor> {
        match self {
            Self::Manifest { .. } => None,
            Self::Inline { image, .. } => Some(image),
        }
    }

    /// The descriptor of the config that holds the records: the cache's, or the image's.
    pub fn config(&self) -> &Descriptor {
        match self {
            Self::Manifest { config, .. } | Self::Inline { config, .. } => config,
        }
    }
}
