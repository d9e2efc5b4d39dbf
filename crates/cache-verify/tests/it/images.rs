//! Caches inside images: found and verified, or the reason why there is none.

use cache_format::{ImageIndex, ImageManifest, ManifestOrIndex};
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name, ProviderExt, Resolver};
use cache_model::{Descriptor, MediaType};

use crate::fixtures::fixtures;
use crate::store::Store;
use crate::support::{lines, only_finding, publish_bytes, report};

/// The image with an inline cache, in memory; its manifest.
async fn image() -> (Store, Descriptor, ImageManifest) {
    let path = fixtures().into_iter().find(|path| path.ends_with("inline-oci-true")).unwrap();
    let layout = LayoutStore::open(path, LayoutOptions::default()).await.unwrap();
    let subject = layout.resolve(&Name::Unspecified).await.unwrap().descriptor;
    let bytes = layout.read(&subject, &Job::default()).await.unwrap();
    let ManifestOrIndex::Manifest(manifest) = ManifestOrIndex::decode(&bytes).unwrap() else {
        panic!("no image")
    };
    let store = Store::default();
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        store.insert(MediaType::default(), layout.read(blob, &Job::default()).await.unwrap());
    }
    publish_bytes(&store, subject.media_type.clone(), bytes).await;
    (store, subject, manifest)
}

fn index(manifests: Vec<Descriptor>) -> Vec<u8> {
    ImageIndex::new(manifests).encode()
}

#[tokio::test]
async fn the_layers_of_an_image_with_a_cache_are_held_against_its_diff_ids() {
    let (mut store, subject, manifest) = image().await;
    let sound = report(&store).await;
    assert_eq!(lines(&sound), "");
    assert_eq!((sound.caches, sound.form), (1, None));
    assert_eq!(sound.blobs, manifest.layers.len() as u64 + 2);

    store.lies.insert(manifest.layers[0].digest, "short".into());
    let report = report(&store).await;
    assert_eq!(report.findings[0].image, Some(subject.digest));
    insta::assert_snapshot!(lines(&report), @"error short-blob: image sha256:#0, layer 0 (sha256:#1): the blob is cut short: it has 5 bytes, not 5632; export the cache again");
}

#[tokio::test]
async fn an_image_whose_config_is_gone_has_no_sound_cache() {
    let (store, _, manifest) = image().await;
    store.memory.remove(&manifest.config.digest);
    insta::assert_snapshot!(only_finding(&store).await.1, @"error missing-blob: image sha256:#0, config sha256:#1: the blob is missing; export the cache again");
}

#[tokio::test]
async fn an_index_is_searched_for_images_and_says_which_have_no_cache() {
    let (store, with_cache, manifest) = image().await;
    let plain_config = store.insert(MediaType::OCI_IMAGE_CONFIG, r#"{"rootfs":{"diff_ids":[]}}"#);
    let plain = ImageManifest { config: plain_config, layers: vec![], ..manifest };
    let plain = store.insert(MediaType::OCI_MANIFEST, plain.encode());
    let mut gone = plain.clone();
    gone.digest = crate::support::sha256(b"gone");
    let inner = store.insert(MediaType::OCI_INDEX, index(vec![plain.clone(), with_cache.clone()]));
    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![inner.clone(), gone, with_cache, inner])).await;
    let report = report(&store).await;
    assert!(report.is_sound());
    assert_eq!(report.caches, 1);
    insta::assert_snapshot!(lines(&report), @r"
    note skipped-image: manifest sha256:#0: the image has no inline cache
    warning missing-manifest: manifest sha256:#1: the index lists it, but it is missing; a cache in it cannot be read
    ");

    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![plain])).await;
    let none = crate::support::report(&store).await;
    insta::assert_snapshot!(lines(&none), @r"
    error no-cache: manifest sha256:#0: this is no cache: it names no cache config and no image with an inline cache
    note skipped-image: manifest sha256:#1: the image has no inline cache
    ");
    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![])).await;
    assert_eq!(only_finding(&store).await.0, "no-cache");
}

#[tokio::test]
async fn an_image_config_that_makes_no_sense_is_a_finding() {
    let (store, _, manifest) = image().await;
    let mut all = String::new();
    for text in [
        "no JSON",
        r#"{"moby.buildkit.cache.v0":"!","rootfs":{"diff_ids":[]}}"#,
        r#"{"moby.buildkit.cache.v0":"W10="}"#,
    ] {
        let config = store.insert(MediaType::OCI_IMAGE_CONFIG, text);
        let layers = if text.contains("diff_ids") { vec![] } else { manifest.layers.clone() };
        let changed = ImageManifest { config, layers, ..manifest.clone() };
        publish_bytes(&store, MediaType::OCI_MANIFEST, changed.encode()).await;
        all += &lines(&report(&store).await);
    }
    insta::assert_snapshot!(all);
}
