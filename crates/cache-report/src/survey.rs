//! What a manifest stands for, in one line: a cache, an image with a cache inside, an image, or something else.
//!
//! Data only; `listing` makes text of it.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use cache_format::{CacheOrigin, Form, ImageManifest, ManifestOrIndex, Unpacked};
use cache_model::{CacheConfig, Descriptor, Digest, MediaType, Timestamp};

use crate::config_layers::times;
use crate::text::cut;

/// The most characters of a foreign media type that are shown: the length of the longest tag.
const LONGEST: usize = 128;

/// A manifest and everything that it leads to, in numbers.
///
/// It begins with the manifest alone; what was read below it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    descriptor: Descriptor,
    content: Content,
    /// The sizes of all distinct blobs and manifests.
    sizes: HashMap<Digest, u64>,
    records: usize,
    newest: Option<Timestamp>,
}

/// What a manifest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A cache, in this form.
    Cache(Form),
    /// An image with a cache inside, or an index with at least one such image.
    ImageWithCache,
    /// An image, or an index of images, without a cache.
    Image,
    /// Something else: an artifact of this type, an index of such artifacts, or an index without manifests.
    Other(MediaType),
}

impl Survey {
    /// A manifest or index by itself.
    pub fn of(descriptor: &Descriptor, unpacked: &Unpacked) -> Self {
        let mut survey = Self {
            descriptor: descriptor.clone(),
            content: Content::Other(descriptor.media_type.clone()),
            sizes: HashMap::new(),
            records: 0,
            newest: None,
        };
        survey.add_sizes([descriptor]);
        match unpacked {
            Unpacked::Cache(cache) => {
                survey.content = Content::Cache(cache.form);
                survey.add_sizes(cache.layers.iter().chain([&cache.config]));
            }
            Unpacked::Other(ManifestOrIndex::Manifest(manifest)) => survey.add_artifact(manifest),
            Unpacked::Other(ManifestOrIndex::Index(_)) => {}
        }
        survey
    }

    /// Adds a manifest that an index names, whether it was read or not.
    pub fn add_entry(&mut self, descriptor: &Descriptor) {
        self.add_sizes([descriptor]);
    }

    /// Adds an artifact, such as one that an index names. An image is none, and is left out.
    pub fn add_artifact(&mut self, manifest: &ImageManifest) {
        let Some(artifact_type) = manifest.artifact_type() else { return };
        self.add_manifest(manifest);
        let is_first = matches!(&self.content, Content::Other(known) if *known == self.descriptor.media_type);
        if is_first {
            self.content = Content::Other(artifact_type);
        }
    }

    /// Adds an image; `newest` is the time of its last step.
    pub fn add_image(&mut self, manifest: &ImageManifest, newest: Option<Timestamp>) {
        self.add_manifest(manifest);
        if !matches!(self.content, Content::Cache(_) | Content::ImageWithCache) {
            self.content = Content::Image;
        }
        self.newest = self.newest.max(newest);
    }

    /// Adds a cache. A survey with a cache stays one, in any order of the calls.
    pub fn add_cache(&mut self, origin: &CacheOrigin, config: &CacheConfig) {
        self.content = match origin.image() {
            Some(_) => Content::ImageWithCache,
            None => Content::Cache(origin.form()),
        };
        self.records += config.records_len();
        self.newest = self.newest.max(times(config).max());
    }

    /// The descriptor of the manifest or index.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it stands for.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The size in bytes of all distinct blobs and manifests that it leads to, itself included, by their descriptors.
    pub fn size(&self) -> u64 {
        self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// The sizes in bytes of these blobs and manifests.
    pub(crate) fn sizes(&self) -> &HashMap<Digest, u64> {
        &self.sizes
    }

    /// The number of records of all its caches together.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The time of the newest result of a cache or of the last step of an image, whichever is later.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    fn add_manifest(&mut self, manifest: &ImageManifest) {
        self.add_sizes(manifest.layers.iter().chain([&manifest.config]));
    }

    fn add_sizes<'d>(&mut self, descriptors: impl IntoIterator<Item = &'d Descriptor>) {
        self.sizes.extend(descriptors.into_iter().map(|descriptor| (descriptor.digest, descriptor.size)));
    }
}

impl Content {
    /// Whether it is a cache, or has one inside.
    pub fn has_cache(&self) -> bool {
        matches!(self, Self::Cache(_) | Self::ImageWithCache)
    }
}

/// As in `cache (manifest)` and `image with cache`; a foreign media type is escaped, and cut if it is long.
impl Display for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(form) => write!(f, "cache ({form})"),
            Self::ImageWithCache => f.write_str("image with cache"),
            Self::Image => f.write_str("image"),
            Self::Other(media_type) => f.write_str(&cut(media_type.as_str(), LONGEST)),
        }
    }
}
