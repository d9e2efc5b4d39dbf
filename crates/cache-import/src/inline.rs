//! Inline caches: from an image, or an index of images, to the caches inside their configs.
//!
//! Follows indexes within indexes, but neither in a circle nor without end.

use std::collections::HashSet;

use cache_format::{Document, ImageManifest, InlineOutcome, read_inline};
use cache_ingest::{ErrorKind, Provider};
use cache_model::Descriptor;

use crate::import::{CacheOrigin, Imported};
use crate::open::{decode, read_metadata};
use crate::{ImportError, ImportOptions, ImportWarning, OpenedCache};

/// How many manifests below one name are looked into. Images have a handful of platforms.
const MAX_MANIFESTS: usize = 1000;

pub(crate) async fn import(
    opened: &OpenedCache,
    provider: &dyn Provider,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let mut imported = Imported { caches: Vec::new(), warnings: Vec::new() };
    let mut seen = HashSet::from([opened.descriptor.digest]);
    let mut queue = vec![(opened.descriptor.clone(), opened.document.clone())];
    let mut is_image = false;
    while let Some((descriptor, document)) = queue.pop() {
        match document {
            Document::Manifest(manifest) => {
                is_image = true;
                import_image(&mut imported, &descriptor, &manifest, provider, options).await?;
            }
            Document::Index(index) => {
                // The last one pushed is looked into first, so this keeps their order.
                for entry in index.manifests.iter().rev().filter(|entry| entry.media_type.is_manifest()) {
                    if seen.len() >= MAX_MANIFESTS || !seen.insert(entry.digest) {
                        continue;
                    }
                    match read_metadata(provider, entry, "manifest", options).await {
                        Ok(bytes) => queue.push((entry.clone(), decode(entry, &bytes)?)),
                        // Only some of the platforms may have been copied.
                        Err(ImportError::Store(error)) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
    if imported.caches.is_empty() {
        let reason = match imported.warnings.as_slice() {
            [] if is_image => "it is an image without a config".to_owned(),
            [] => "it is an index without a cache config and without images".to_owned(),
            [ImportWarning::SkippedImage { reason, .. }] => format!("it has no cache config, and {reason}"),
            several => {
                format!("it is an index of {} images, none of which has an inline cache", several.len())
            }
        };
        return Err(ImportError::NotACache { digest: opened.descriptor.digest, reason });
    }
    Ok(imported)
}

async fn import_image(
    imported: &mut Imported,
    descriptor: &Descriptor,
    manifest: &ImageManifest,
    provider: &dyn Provider,
    options: &ImportOptions,
) -> Result<(), ImportError> {
    let bytes = read_metadata(provider, &manifest.config, "image config", options).await?;
    let digest = manifest.config.digest;
    let outcome = read_inline(manifest, &bytes)
        .map_err(|source| ImportError::Format { digest, source: Box::new(source) })?;
    match outcome {
        InlineOutcome::Absent(reason) => {
            imported.warnings.push(ImportWarning::SkippedImage { image: descriptor.digest, reason });
            Ok(())
        }
        InlineOutcome::Cache(cache) => {
            let origin = CacheOrigin::Inline { image: descriptor.clone(), config: manifest.config.clone() };
            imported.load(origin, bytes, cache.config, cache.layers, digest)
        }
    }
}
