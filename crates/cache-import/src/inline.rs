//! Importing inline caches: from an image, or an index of images, to the caches inside their configs.
//!
//! Missing manifests and configs are skipped with a warning. It is an error only if no cache is left.

use bytes::Bytes;
use cache_format::{
    CacheOrigin, ImageConfig, ImageManifest, InlineOutcome, ManifestOrIndex, ManifestQueue, NotACache,
    read_inline,
};
use cache_ingest::{ErrorKind, Job, Provider};
use cache_model::Descriptor;

use crate::imported::{Image, Imported};
use crate::open::{decode, read_metadata};
use crate::{ImportError, ImportWarning};

/// The documents that a walk through the manifests below a name found.
pub(crate) struct Walked {
    /// The caches inside the images.
    pub(crate) imported: Imported,
    /// The images, with a cache inside or without.
    pub(crate) images: Vec<Image>,
    /// The manifests of artifacts, whose configs are not read.
    pub(crate) artifacts: Vec<ImageManifest>,
    /// The manifests below the name.
    pub(crate) manifests: Vec<Descriptor>,
    /// What the document is instead of a cache; `None` if it leads to one.
    pub(crate) not_a_cache: Option<NotACache>,
}

pub(crate) async fn import(
    subject: &Descriptor,
    document: &ManifestOrIndex,
    provider: &dyn Provider,
    job: &Job,
) -> Result<Imported, ImportError> {
    let walked = walk(subject, document, provider, job).await?;
    match walked.not_a_cache {
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
        imported: Imported::default(),
        images: Vec::new(),
        artifacts: Vec::new(),
        manifests: Vec::new(),
        found: NotACache::of(document),
        queue: ManifestQueue::new(subject),
    };
    walk.enter(subject, document).await?;
    while let Some(descriptor) = walk.queue.next() {
        walk.manifests.push(descriptor.clone());
        match walk.read(&descriptor, "manifest").await? {
            Some(bytes) => walk.enter(&descriptor, &decode(&descriptor, &bytes)?).await?,
            None => {
                let digest = descriptor.digest;
                walk.found.add_image();
                walk.found.missing.push(digest);
                walk.warn(ImportWarning::MissingManifest { digest });
            }
        }
    }
    if walk.found.is_cut {
        walk.warn(ImportWarning::TooManyManifests { limit: ManifestQueue::LIMIT });
    }
    let not_a_cache = walk.imported.caches.is_empty().then_some(walk.found);
    let Walk { imported, images, artifacts, manifests, .. } = walk;
    Ok(Walked { imported, images, artifacts, manifests, not_a_cache })
}

/// The way through the manifests below a name.
struct Walk<'a> {
    provider: &'a dyn Provider,
    job: &'a Job,
    imported: Imported,
    images: Vec<Image>,
    artifacts: Vec<ImageManifest>,
    manifests: Vec<Descriptor>,
    found: NotACache,
    queue: ManifestQueue,
}

impl Walk<'_> {
    fn warn(&mut self, warning: ImportWarning) {
        self.imported.warnings.push(warning);
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
                self.found.is_cut |= !self.queue.enter(index);
                Ok(())
            }
        }
    }

    async fn image(&mut self, descriptor: &Descriptor, manifest: &ImageManifest) -> Result<(), ImportError> {
        if let Some(artifact_type) = manifest.artifact_type() {
            self.found.add_artifact(artifact_type);
            self.artifacts.push(manifest.clone());
            return Ok(());
        }
        self.found.add_image();
        let (image, config) = (descriptor.digest, manifest.config.digest);
        let Some(bytes) = self.read(&manifest.config, "image config").await? else {
            self.images.push(Image { manifest: manifest.clone(), newest: None });
            self.found.missing.push(config);
            self.warn(ImportWarning::MissingConfig { image, config });
            return Ok(());
        };
        let unreadable = |cause| ImportError::Format { digest: config, cause: Box::new(cause) };
        let history = ImageConfig::decode(&bytes).map_err(unreadable)?.history;
        let newest = history.iter().filter_map(|step| step.created).max();
        self.images.push(Image { manifest: manifest.clone(), newest });
        match read_inline(manifest, &bytes).map_err(unreadable)? {
            InlineOutcome::Absent(reason) => {
                self.found.add_reason(reason);
                self.warn(ImportWarning::SkippedImage { image, reason });
                Ok(())
            }
            InlineOutcome::Cache(cache) => {
                let origin =
                    CacheOrigin::Inline { image: descriptor.clone(), config: manifest.config.clone() };
                self.imported.load(origin, bytes, cache.config, cache.layers, config)
            }
        }
    }
}
