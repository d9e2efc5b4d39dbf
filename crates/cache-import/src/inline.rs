//! Importing inline caches: from an image, or an index of images, to the caches inside their configs.
//!
//! Missing manifests and configs are skipped with a warning. It is an error only if no cache is left.

use bytes::Bytes;
use cache_format::{
    CacheOrigin, ImageConfig, ImageManifest, InlineOutcome, ManifestOrIndex, ManifestQueue, NoInlineCache,
    NotACache, read_inline,
};
use cache_ingest::{ErrorKind, Job, Provider};
use cache_model::{Descriptor, MediaType};

use crate::imported::{Image, Imported};
use crate::open::{decode, read_metadata};
use crate::{ImportError, ImportWarning};

/// The documents that a walk through the manifests below a name found.
pub(crate) struct Walked {
    /// The caches inside the images.
    pub(crate) imported: Imported,
    /// The images whose configs are in the store, with a cache inside or without.
    pub(crate) images: Vec<Image>,
    /// The manifests of artifacts, whose configs are not read.
    pub(crate) artifacts: Vec<ImageManifest>,
    /// The manifests below the name.
    pub(crate) manifests: Vec<Descriptor>,
}

pub(crate) async fn import(
    subject: &Descriptor,
    document: &ManifestOrIndex,
    provider: &dyn Provider,
    job: &Job,
) -> Result<Imported, ImportError> {
    let walked = walk(subject, document, provider, job).await?;
    match not_a_cache(document, &walked.imported, &walked.artifacts) {
        Some(found) => Err(ImportError::NotACache { digest: subject.digest, found: Box::new(found) }),
        None => Ok(walked.imported),
    }
}

/// Reads the configs of all images behind a name.
pub(crate) async fn walk(
    subject: &Descriptor,
    document: &ManifestOrIndex,
    provider: &dyn Provider,
    job: &Job,
) -> Result<Walked, ImportError> {
    let mut walk = Walk {
        provider,
        job,
        walked: Walked {
            imported: Imported::default(),
            images: Vec::new(),
            artifacts: Vec::new(),
            manifests: Vec::new(),
        },
        queue: ManifestQueue::new(subject),
        all_fit: true,
    };
    walk.enter(subject, document).await?;
    while let Some(descriptor) = walk.queue.next() {
        walk.walked.manifests.push(descriptor.clone());
        match walk.read(&descriptor, "manifest").await? {
            Some(bytes) => walk.enter(&descriptor, &decode(&descriptor, &bytes)?).await?,
            None => walk.warn(ImportWarning::MissingManifest { digest: descriptor.digest }),
        }
    }
    if !walk.all_fit {
        walk.warn(ImportWarning::TooManyManifests { limit: ManifestQueue::LIMIT });
    }
    Ok(walk.walked)
}

/// The way through the manifests below a name.
struct Walk<'a> {
    provider: &'a dyn Provider,
    job: &'a Job,
    walked: Walked,
    queue: ManifestQueue,
    all_fit: bool,
}

impl Walk<'_> {
    fn warn(&mut self, warning: ImportWarning) {
        self.walked.imported.warnings.push(warning);
    }

    /// The bytes of a manifest or config; `None` if it is not in the store.
    async fn read(&self, descriptor: &Descriptor, what: &'static str) -> Result<Option<Bytes>, ImportError> {
        match read_metadata(self.provider, descriptor, what, self.job).await {
            Ok(bytes) => Ok(Some(bytes)),
            // Maybe only some of the platforms were copied.
            Err(ImportError::Store(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn enter(
        &mut self,
        descriptor: &Descriptor,
        document: &ManifestOrIndex,
    ) -> Result<(), ImportError> {
        match document {
            ManifestOrIndex::Manifest(image) => self.image(descriptor, image).await,
            ManifestOrIndex::Index(index) => {
                self.all_fit &= self.queue.enter(index);
                Ok(())
            }
        }
    }

    async fn image(&mut self, descriptor: &Descriptor, manifest: &ImageManifest) -> Result<(), ImportError> {
        if manifest.artifact_type().is_some() {
            self.walked.artifacts.push(manifest.clone());
            return Ok(());
        }
        let (image, config) = (descriptor.digest, manifest.config.digest);
        let Some(bytes) = self.read(&manifest.config, "image config").await? else {
            self.warn(ImportWarning::MissingConfig { image, config });
            return Ok(());
        };
        let unreadable = |cause| ImportError::Format { digest: config, cause: Box::new(cause) };
        let history = ImageConfig::decode(&bytes).map_err(unreadable)?.history;
        let newest = history.iter().filter_map(|step| step.created).max();
        self.walked.images.push(Image { manifest: manifest.clone(), newest });
        let outcome = read_inline(manifest, &bytes).map_err(unreadable)?;
        match outcome {
            InlineOutcome::Absent(reason) => {
                self.warn(ImportWarning::SkippedImage { image, reason });
                Ok(())
            }
            InlineOutcome::Cache(cache) => {
                let origin =
                    CacheOrigin::Inline { image: descriptor.clone(), config: manifest.config.clone() };
                self.walked.imported.load(origin, bytes, cache.config, cache.layers, config)
            }
        }
    }
}

/// What a document is that leads to no cache; `None` if it leads to one.
pub(crate) fn not_a_cache(
    document: &ManifestOrIndex,
    imported: &Imported,
    artifacts: &[ImageManifest],
) -> Option<NotACache> {
    if !imported.caches.is_empty() {
        return None;
    }
    let (mut images, mut is_cut, mut unusable) = (0, false, None);
    let mut missing = Vec::new();
    for warning in &imported.warnings {
        images += 1;
        match warning {
            ImportWarning::SkippedImage { reason: NoInlineCache::NoField, .. } => {}
            ImportWarning::SkippedImage { reason, .. } => unusable = Some(*reason),
            ImportWarning::MissingManifest { digest } => missing.push(*digest),
            ImportWarning::MissingConfig { config, .. } => missing.push(*config),
            ImportWarning::TooManyManifests { .. } => {
                images -= 1;
                is_cut = true;
            }
            // Only a cache has results.
            ImportWarning::DroppedResult(_) => images -= 1,
        }
    }
    let types: Vec<MediaType> = artifacts.iter().filter_map(ImageManifest::artifact_type).collect();
    let found = NotACache::new(document, images, &types);
    Some(found.with_missing(missing).with_unusable(unusable).with_cut(is_cut))
}
