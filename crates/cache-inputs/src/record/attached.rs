//! Build records that are attached to an image, as its attestations (moby/buildkit
//! `docs/attestations/attestation-storage.md`).
//!
//! Only provenance is read: bills of materials and the images themselves are passed over.

use std::collections::HashMap;

use bytes::Bytes;
use cache_explain::Build;
use cache_format::{ImageIndex, ImageManifest, ManifestOrIndex, ManifestQueue};
use cache_ingest::{Error, Event, Job, Provider, ProviderExt, Resolved};
use cache_model::{Descriptor, Digest, MediaType, Platform};

use crate::record::RecordError;
use crate::record::json::build_of_provenance;
use crate::record::predicate_type::{PREDICATE_TYPE, is_provenance};

/// The annotation of an entry of an index that says what the manifest is for, and its value for attestations.
const REFERENCE_TYPE: (&str, &str) = ("vnd.docker.reference.type", "attestation-manifest");
/// The annotation with the digest of the image to which attestations belong.
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// The media type of an attestation: an in-toto statement.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// Reads the builds of an image: one for each of its platforms that has provenance attached, in the order of the index.
///
/// `resolved` is what the image's name stands for in the store: an index, or the manifest of attestations itself.
///
/// # Errors
/// [`RecordError::NotAttached`] for an image without provenance, [`RecordError::NoSteps`] if it says nothing of the steps (mode
/// `min`, which is what buildx attaches by default), [`RecordError::Store`] if the store does not give it.
pub async fn attached_builds(
    provider: &dyn Provider,
    resolved: &Resolved,
    job: &Job,
) -> Result<Vec<Build>, RecordError> {
    let bytes = resolved.read(provider, job).await?;
    let mut image = AttestedImage {
        provider,
        job,
        platforms: HashMap::new(),
        builds: Vec::new(),
        left: job.max_metadata,
    };
    let mut queue = ManifestQueue::new(&resolved.descriptor);
    match ManifestOrIndex::decode(&bytes)? {
        ManifestOrIndex::Manifest(manifest) => image.read(&manifest, None).await?,
        ManifestOrIndex::Index(index) => image.enter(&index, &mut queue),
    }
    while let Some(entry) = queue.next() {
        let is_index = [MediaType::OCI_INDEX, MediaType::DOCKER_LIST].contains(&entry.media_type);
        if !is_index && entry.annotations.get(REFERENCE_TYPE.0) != Some(REFERENCE_TYPE.1) {
            continue;
        }
        match ManifestOrIndex::decode(&image.document(&entry, "attestation manifest").await?)? {
            ManifestOrIndex::Manifest(manifest) => {
                let platform = image.platform_of(&entry);
                image.read(&manifest, platform).await?;
            }
            ManifestOrIndex::Index(index) => image.enter(&index, &mut queue),
        }
    }
    if image.builds.is_empty() { Err(RecordError::NotAttached) } else { Ok(image.builds) }
}

/// An image whose attestations are read.
struct AttestedImage<'a> {
    provider: &'a dyn Provider,
    job: &'a Job,
    /// The platforms of its manifests.
    platforms: HashMap<Digest, Platform>,
    builds: Vec<Build>,
    /// How many bytes of provenance may still be read.
    left: u64,
}

impl AttestedImage<'_> {
    fn enter(&mut self, index: &ImageIndex, queue: &mut ManifestQueue) {
        let platforms = index.manifests.iter().filter_map(|entry| Some((entry.digest, entry.platform()?)));
        self.platforms.extend(platforms.map(|(digest, platform)| (digest, platform.clone())));
        // An image has a handful of manifests. Those beyond the limit of the queue are no attestations of BuildKit's.
        queue.enter(index);
    }

    /// The platform of the image to which an entry belongs.
    fn platform_of(&self, entry: &Descriptor) -> Option<Platform> {
        let image = entry.annotations.get(REFERENCE_DIGEST)?.parse().ok()?;
        self.platforms.get(&image).cloned()
    }

    /// Reads the provenance among the attestations in a manifest.
    async fn read(
        &mut self,
        manifest: &ImageManifest,
        platform: Option<Platform>,
    ) -> Result<(), RecordError> {
        let statements = manifest.layers.iter().filter(|layer| layer.media_type.as_str() == STATEMENT);
        for statement in
            statements.filter(|layer| layer.annotations.get(PREDICATE_TYPE).is_some_and(is_provenance))
        {
            let above = || Error::above_metadata_limit("read", statement.digest, None, self.job.max_metadata);
            self.left = self.left.checked_sub(statement.size).ok_or_else(above)?;
            let bytes = self.document(statement, "provenance").await?;
            let mut build = build_of_provenance(&bytes)?;
            build.target.clone_from(&platform);
            self.builds.push(build);
        }
        Ok(())
    }

    async fn document(&self, descriptor: &Descriptor, what: &'static str) -> Result<Bytes, RecordError> {
        self.job.event(&Event::Importing { what, from: &descriptor.digest.to_string() });
        Ok(self.provider.read(descriptor, self.job).await?)
    }
}
