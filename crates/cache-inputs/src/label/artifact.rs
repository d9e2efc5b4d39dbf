//! A label as an OCI artifact that refers to the manifest of its cache (OCI image specification, manifest.md, "Guidelines for
//! Artifact Usage").
//!
//! It writes and finds artifacts. What is in a label is known elsewhere.

use bytes::Bytes;
use cache_format::{ImageManifest, ManifestOrIndex};
use cache_ingest::{
    Error, ErrorKind, Job, Provider, ProviderExt, ReferrerStore, Referrers, Step, copy_bytes,
};
use cache_model::{Descriptor, MediaType};

/// The type of the artifact, and the media type of its only layer.
const LABEL: &str = "application/vnd.bkcache.label.v1+jsonl";
/// The config of an artifact that needs none.
const EMPTY_CONFIG: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// Stores a label beside the cache whose manifest `subject` is, and gives the descriptor of the artifact. The same label is the same
/// artifact.
///
/// # Errors
/// Those of the store; [`ErrorKind::NotFound`] if it is a folder in which the subject has no name.
pub async fn publish_label(
    text: Vec<u8>,
    subject: &Descriptor,
    store: &dyn ReferrerStore,
    job: &Job,
) -> Result<Descriptor, Error> {
    let config = Descriptor::of(MediaType::new(EMPTY_CONFIG.0), EMPTY_CONFIG.1);
    copy_bytes(Step::Config, &config, Bytes::from_static(EMPTY_CONFIG.1), store, job).await?;
    let layer = Descriptor::of(MediaType::new(LABEL), &text);
    copy_bytes(Step::Layer, &layer, text.into(), store, job).await?;
    let mut manifest = ImageManifest::new(config, vec![layer]);
    LABEL.clone_into(&mut manifest.artifact_type);
    manifest.subject = Some(Descriptor::new(subject.media_type.clone(), subject.digest, subject.size));
    let bytes = manifest.encode();
    let artifact = Descriptor::of(MediaType::OCI_MANIFEST, &bytes).with_artifact_type(LABEL);
    store.add_referrer(subject, &artifact, bytes.into()).await?;
    Ok(artifact)
}

/// The texts of the labels of the cache whose manifest `subject` is, in the order of the store.
///
/// # Errors
/// Those of the store; [`ErrorKind::Corrupt`] for an artifact that is no label.
pub async fn find_labels(
    subject: &Descriptor,
    provider: &dyn Provider,
    referrers: &dyn Referrers,
    job: &Job,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut labels = Vec::new();
    let found = referrers.referrers(subject).await?;
    for artifact in found.iter().filter(|artifact| artifact.artifact_type() == LABEL) {
        let bytes = provider.read(artifact, job).await?;
        let corrupt = |reason: &str| Error::new(ErrorKind::Corrupt, "read", artifact.digest, reason);
        let manifest = match ManifestOrIndex::decode(&bytes) {
            Ok(ManifestOrIndex::Manifest(manifest)) => manifest,
            Ok(ManifestOrIndex::Index(_)) => return Err(corrupt("a label has to be a manifest")),
            Err(fault) => return Err(corrupt(&fault.to_string())),
        };
        let layer = manifest.layers.iter().find(|layer| layer.media_type.as_str() == LABEL);
        let layer = layer.ok_or_else(|| corrupt("it has no label among its layers"))?;
        labels.push(provider.read(layer, job).await?.into());
    }
    Ok(labels)
}
