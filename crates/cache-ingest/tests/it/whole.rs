//! What has to hold of a layout whatever happened to who wrote it, and small caches to write: layers, and a manifest
//! that names them.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use cache_ingest::{Error, Expect, Hasher, Job, LayoutOptions, LayoutStore, Name, ProviderExt, Publisher};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};

use crate::faults::describe;

/// The names in a folder; none where it is absent.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A manifest that names layers.
pub(crate) fn manifest(layers: &[&Descriptor]) -> (Descriptor, Bytes) {
    let named: Vec<String> = layers.iter().map(|layer| format!("{:?}", layer.digest.to_string())).collect();
    let bytes = Bytes::from(format!(r#"{{"layers":[{}]}}"#, named.join(",")));
    (Descriptor { media_type: MediaType::OCI_MANIFEST, ..describe(&bytes) }, bytes)
}

/// Publishes a manifest that names layers.
pub(crate) async fn publish(
    store: &LayoutStore,
    tag: &str,
    layers: &[&Descriptor],
    expect: Expect,
) -> Result<Digest, Error> {
    let (descriptor, bytes) = manifest(layers);
    store.publish(&Name::Tag(tag.into()), &descriptor, bytes, expect).await?;
    Ok(descriptor.digest)
}

/// Checks that every blob has its digest, and that every entry has its manifest and the layers that this names; gives
/// the tags.
pub(crate) async fn check(cache: &Path) -> Vec<String> {
    let blobs = cache.join("blobs/sha256");
    for name in names(&blobs) {
        let bytes = fs::read(blobs.join(&name)).unwrap();
        assert_eq!(Hasher::digest(Algorithm::Sha256, &bytes).hex().as_str(), name);
    }
    if !cache.join("index.json").exists() {
        return Vec::new();
    }
    let store = LayoutStore::open(cache, LayoutOptions::default()).await.unwrap();
    for entry in store.entries().await.unwrap() {
        let manifest = store.read(entry.descriptor().unwrap(), &Job::default()).await.unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let layer: Digest = layer.as_str().unwrap().parse().unwrap();
            assert!(blobs.join(layer.hex()).is_file(), "{layer} is named and not there");
        }
    }
    store.tags().await.unwrap()
}
