//! What a manifest is the manifest of, in a line: a cache, an image with a cache inside, an image, or something else.
//!
//! It reads metadata only: manifests, cache configs, image configs.

use std::collections::HashMap;

use cache_format::{Form, ImageManifest, ManifestOrIndex};
use cache_ingest::Provider;
use cache_model::{Descriptor, Digest, MediaType, Timestamp};

use crate::imported::CacheOrigin;
use crate::open::open_resolved;
use crate::{ImportError, ImportOptions, Inspection, OpenedCache, inline};

/// What a manifest leads to, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// The manifest or index itself.
    pub descriptor: Descriptor,
    /// What it is.
    pub content: Content,
    /// The size in bytes of all distinct blobs and manifests that it leads to, itself included, as their descriptors
    /// have it.
    pub size: u64,
    /// How many records its caches have together.
    pub records: usize,
    /// When the newest result of its caches was made; of an image, when its last step was.
    pub newest: Option<Timestamp>,
}

/// What a manifest is the manifest of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A cache, in a form.
    Cache(Form),
    /// An image, or an index of images, one of which at least has a cache inside.
    ImageWithCache,
    /// An image, or an index of images, without a cache.
    Image,
    /// Something else: an artifact whose config has this media type, or an index without images.
    Other(MediaType),
}

/// Looks at what a name stands for, which has been [listed](cache_ingest::Lister::list) or resolved.
///
/// # Errors
/// Those of [`open`](crate::open) and [`OpenedCache::import`], but for [`ImportError::NotACache`].
pub async fn survey(
    provider: &dyn Provider,
    descriptor: &Descriptor,
    options: &ImportOptions,
) -> Result<Survey, ImportError> {
    let opened = open_resolved(provider, descriptor.clone(), options).await?;
    let mut sizes = Sizes::default();
    sizes.add([&opened.descriptor]);
    let mut survey = Survey {
        descriptor: opened.descriptor.clone(),
        content: Content::Other(opened.descriptor.media_type.clone()),
        size: 0,
        records: 0,
        newest: None,
    };
    let imported = if let Some(artifact) = artifact(&opened) {
        sizes.manifest(artifact);
        survey.content = Content::Other(artifact.config.media_type.clone());
        None
    } else if let Some(manifest) = &opened.manifest {
        sizes.add(manifest.layers.iter().chain([&manifest.config]));
        Some(opened.import(provider, options).await?)
    } else {
        let walked = inline::walk(&opened, provider, options).await?;
        sizes.add(&walked.manifests);
        for image in &walked.images {
            sizes.manifest(&image.manifest);
            survey.content = Content::Image;
            survey.newest = survey.newest.max(image.newest);
        }
        Some(walked.imported)
    };
    for cache in imported.iter().flat_map(|imported| &imported.caches) {
        let found = Inspection::of(cache, &cache.chains.graph());
        survey.records += found.records;
        survey.newest = survey.newest.max(found.newest);
        survey.content = match cache.origin {
            CacheOrigin::Manifest { form, .. } => Content::Cache(form),
            CacheOrigin::Inline { .. } => Content::ImageWithCache,
        };
    }
    survey.size = sizes.total();
    Ok(survey)
}

/// The manifest of something that is neither a cache nor an image.
fn artifact(opened: &OpenedCache) -> Option<&ImageManifest> {
    match &opened.document {
        ManifestOrIndex::Manifest(manifest) if opened.manifest.is_none() => {
            let config = &manifest.config.media_type;
            let is_image = [MediaType::OCI_IMAGE_CONFIG, MediaType::DOCKER_IMAGE_CONFIG].contains(config);
            (!is_image).then_some(manifest)
        }
        _ => None,
    }
}

/// The sizes of blobs, each counted once.
#[derive(Default)]
struct Sizes(HashMap<Digest, u64>);

impl Sizes {
    fn add<'d>(&mut self, descriptors: impl IntoIterator<Item = &'d Descriptor>) {
        self.0.extend(descriptors.into_iter().map(|descriptor| (descriptor.digest, descriptor.size)));
    }

    fn manifest(&mut self, manifest: &ImageManifest) {
        self.add(manifest.layers.iter().chain([&manifest.config]));
    }

    fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, size| sum.saturating_add(*size))
    }
}
