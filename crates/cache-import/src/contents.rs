//! Everything that a manifest leads to, as far as metadata tells it: manifests, images, caches.
//!
//! It reads manifests, cache configs and image configs, and never a layer. What it finds is data for others to show.

use cache_format::{ImageManifest, NotACache, Unpacked};
use cache_ingest::{Error, Event, Job, Provider, Resolved, Step, Stored};
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
    /// The images, with a cache inside or without, also those whose configs are not in the store.
    pub images: Vec<Image>,
    /// The manifests of artifacts, whose configs are not read.
    pub artifacts: Vec<ImageManifest>,
    /// The caches; none for an artifact or an image without one.
    pub imported: Imported,
    /// What it is if it is not a cache and leads to none; `None` for a cache.
    pub not_a_cache: Option<NotACache>,
}

/// Reads everything that a manifest leads to, cache or not. The job's progress gets the events of
/// [`Step::ReadManifest`].
///
/// # Errors
/// Those of [`open`](crate::open) and [`OpenedCache::import`] except [`ImportError::NotACache`].
pub async fn contents(
    provider: &dyn Provider,
    resolved: &Resolved,
    job: &Job,
) -> Result<Contents, ImportError> {
    let (step, descriptor) = (Step::ReadManifest, &resolved.descriptor);
    let begun = job.begin(step, descriptor);
    let found = read(provider, resolved, job).await;
    match &found {
        Ok(_) => begun.finish(Stored::AlreadyPresent),
        Err(ImportError::Store(error)) => begun.fail(error),
        Err(other) => begun.fail(&Error::new(other.kind(), "read", descriptor.digest, other)),
    }
    found
}

async fn read(provider: &dyn Provider, resolved: &Resolved, job: &Job) -> Result<Contents, ImportError> {
    job.event(&Event::Importing { what: "manifest", from: &resolved.descriptor.digest.to_string() });
    let opened = open_resolved(provider, resolved, job).await?;
    let mut contents = Contents {
        opened,
        manifests: Vec::new(),
        images: Vec::new(),
        artifacts: Vec::new(),
        imported: Imported::default(),
        not_a_cache: None,
    };
    match &contents.opened.unpacked {
        Unpacked::Cache(_) => contents.imported = contents.opened.import(provider, job).await?,
        Unpacked::Other(document) => {
            let walked = inline::walk(&contents.opened.descriptor, document, provider, job).await?;
            contents.manifests = walked.manifests;
            contents.images = walked.images;
            contents.artifacts = walked.artifacts;
            contents.imported = walked.imported;
            contents.not_a_cache = walked.not_a_cache;
        }
    }
    Ok(contents)
}
