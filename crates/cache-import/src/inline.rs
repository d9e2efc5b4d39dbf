//! Importing inline caches: from an image, or an index of images, to the caches inside their configs.
//!
//! Missing manifests and configs are skipped with a warning. It is an error only if no cache is left.

use bytes::Bytes;
use cache_format::{
    CacheOrigin, ImageConfig, ImageManifest, InlineOutcome, ManifestOrIndex, ManifestQueue, read_inline,
};
use cache_ingest::{ErrorKind, Job, Provider};
use cache_model::Descriptor;

use crate::imported::{Image, Imported};
use crate::open::{decode, read_metadata};
use crate::{ImportError, ImportWarning};

/// The most missing documents that an error names.
const NAMED: usize = 3;

/// The documents that a walk through the manifests below a name found.
pub(crate) struct Walked {
    /// The caches inside the images.
    pub(crate) imported: Imported,
    /// The images whose configs are in the store, with a cache inside or without.
    pub(crate) images: Vec<Image>,
    /// The manifests below the name.
    pub(crate) manifests: Vec<Descriptor>,
}

pub(crate) async fn import(
    subject: &Descriptor,
    document: &ManifestOrIndex,
    provider: &dyn Provider,
    job: &Job,
) -> Result<Imported, ImportError> {
    let imported = walk(subject, document, provider, job).await?.imported;
    if imported.caches.is_empty() {
        let reason = why_none(&imported.warnings);
        return Err(ImportError::NotACache { digest: subject.digest, reason });
    }
    Ok(imported)
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
        walked: Walked { imported: Imported::default(), images: Vec::new(), manifests: Vec::new() },
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

/// Why there is no cache, from the warnings.
fn why_none(warnings: &[ImportWarning]) -> String {
    let (mut images, mut limit) = (0, None);
    let mut skipped = None;
    let mut missing = Vec::new();
    for warning in warnings {
        match warning {
            ImportWarning::TooManyManifests { limit: at } => {
                limit = Some(at);
                continue;
            }
            ImportWarning::SkippedImage { reason, .. } => skipped = Some(reason),
            ImportWarning::MissingManifest { digest } => missing.push(format!("manifest {digest}")),
            ImportWarning::MissingConfig { image, config } => {
                missing.push(format!("config {config} of image {image}"));
            }
            // Only a cache has results.
            ImportWarning::DroppedResult(_) => continue,
        }
        images += 1;
    }
    let mut reason = match (images, missing.as_slice(), skipped) {
        (1, [only], _) => format!("it has no cache config, and the {only} is missing"),
        (1, _, Some(reason)) => format!("it has no cache config, and {reason}"),
        (0, ..) => "it is an index without a cache config and without images".to_owned(),
        (_, [], _) => format!("it is an index of {images} images, none of which has an inline cache"),
        (_, missing, _) => {
            let (named, more) = missing.split_at(missing.len().min(NAMED));
            let named = named.join(", ");
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            format!(
                "it is an index of {images} images, none of which has a usable cache; missing: {named}{more}"
            )
        }
    };
    if let Some(limit) = limit {
        reason.push_str(&format!("; it leads to more than {limit} manifests, and the others were not read"));
    }
    reason
}
