//! Everything that a manifest leads to, as far as metadata tells it: manifests, images, caches.
//!
//! It reads manifests, cache configs and image configs, and never a layer. What it finds is data for others to show.

use cache_format::{ManifestOrIndex, Unpacked};
use cache_ingest::{Event, Job, Provider, Resolved};
use cache_model::Descriptor;

use crate::imported::{Image, Imported};
use crate::open::open_resolved;
use crate::{ImportError, OpenedCache, inline};

/// What a manifest leads to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Contents {
    /// The manifest or index itself.
    pub opened: OpenedCache,
    /// The manifests below an index, also those that are not in the store.
    pub manifests: Vec<Descriptor>,
    /// The images whose configs are in the store, with a cache inside or without.
    pub images: Vec<Image>,
    /// The caches; none for an artifact or an image without one.
    pub imported: Imported,
}

/// Reads everything that a manifest leads to, cache or not.
///
/// # Errors
/// Those of [`open`](crate::open) and [`OpenedCache::import`] except [`ImportError::NotACache`].
pub async fn contents(
    provider: &dyn Provider,
    resolved: &Resolved,
    job: &Job,
) -> Result<Contents, ImportError> {
    job.event(&Event::Importing { what: "manifest", from: &resolved.descriptor.digest.to_string() });
    let opened = open_resolved(provider, resolved, job).await?;
    let mut contents =
        Contents { opened, manifests: Vec::new(), images: Vec::new(), imported: Imported::default() };
    match &contents.opened.unpacked {
        Unpacked::Cache(_) => contents.imported = contents.opened.import(provider, job).await?,
        Unpacked::Other(document) if is_artifact(document) => {}
        Unpacked::Other(document) => {
            let walked = inline::walk(&contents.opened.descriptor, document, provider, job).await?;
            contents.manifests = walked.manifests;
            contents.images = walked.images;
            contents.imported = walked.imported;
        }
    }
    Ok(contents)
}

/// Whether the config behind a manifest that is no cache is no image's either, so that there is nothing to read.
fn is_artifact(document: &ManifestOrIndex) -> bool {
    matches!(document, ManifestOrIndex::Manifest(manifest) if manifest.artifact_type().is_some())
}
