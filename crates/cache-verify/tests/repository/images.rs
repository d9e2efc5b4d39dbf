//! Caches inside images: found and verified, or the reason why there is none.

use cache_format::{Form, ImageIndex, ImageManifest, ManifestOrIndex};
use cache_ingest::{ErrorKind, Job, LayoutOptions, LayoutStore, Name, ProviderExt, Resolver};
use cache_model::{Descriptor, MediaType};
use cache_verify::{VerifyError, verify};

use crate::fixtures::fixtures;
use crate::store::Store;
use crate::support::{job, lines, only_finding, options, publish_bytes, report};

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
    assert_eq!((sound.caches, sound.form), (1, Some(Form::Inline)));
    assert_eq!((sound.blobs, sound.configs, sound.manifests), (manifest.layers.len() as u64, 1, 1));

    store.lies.insert(manifest.layers[0].digest, "short".into());
    let report = report(&store).await;
    assert_eq!(report.findings[0].image, Some(subject.digest));
    insta::assert_snapshot!(lines(&report), @"error short-blob: image sha256:#0, layer 0 (sha256:#1), needed by 3 records: the blob is cut short: it has 5 bytes, not 5,632; export the cache again");
}

/// BuildKit has no limit for the config of an image.
#[tokio::test]
async fn a_manifest_of_an_image_that_buildkit_does_not_import_is_a_warning() {
    let (store, _, manifest) = image().await;
    let padding = [("padding", "x".repeat(1 << 20))];
    let annotations = padding.iter().map(|(key, text)| (*key, text.as_str())).collect();
    let large = ImageManifest { annotations, ..manifest };
    publish_bytes(&store, MediaType::OCI_MANIFEST, large.encode()).await;
    assert_eq!(only_finding(&store).await.0, "above-import-limit");
}

#[tokio::test]
async fn an_image_whose_config_is_gone_has_no_sound_cache() {
    let (store, _, manifest) = image().await;
    store.memory.remove(&manifest.config.digest);
    insta::assert_snapshot!(only_finding(&store).await.1, @"error missing-blob: image sha256:#0, config sha256:#1: it is missing; export the cache again");
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
    assert_eq!(no_cache(&store).await, "it is an index of an image, not a cache");
    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![])).await;
    assert_eq!(no_cache(&store).await, "it is an index without manifests, not a cache");
}

/// What the name stands for instead of a cache.
async fn no_cache(store: &Store) -> String {
    let error = verify(store, &Name::Unspecified, &options(), &job()).await.unwrap_err();
    assert!(matches!(error, VerifyError::NotACache { .. }), "{error}");
    assert_eq!((error.kind(), error.store_error().is_none()), (ErrorKind::Unsupported, true));
    error.to_string()
}

#[tokio::test]
async fn what_leads_to_no_cache_is_an_error_that_says_what_it_is() {
    let (store, _, manifest) = image().await;
    let chart = MediaType::new("application/vnd.cncf.helm.config.v1+json");
    let config = store.insert(chart, "not JSON");
    let chart = ImageManifest::new(config, vec![]);
    publish_bytes(&store, MediaType::OCI_MANIFEST, chart.encode()).await;
    let line = "it is a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache";
    assert_eq!(no_cache(&store).await, line);
    let plain = store.insert(MediaType::OCI_IMAGE_CONFIG, r#"{"rootfs":{"diff_ids":[]}}"#);
    let plain = ImageManifest { config: plain, layers: vec![], ..manifest };
    publish_bytes(&store, MediaType::OCI_MANIFEST, plain.encode()).await;
    assert_eq!(no_cache(&store).await, "it is an image, not a cache");
    let gone = Descriptor::new(MediaType::OCI_MANIFEST, crate::support::sha256(b"gone"), 4);
    let line = format!("it is an index of an image, not a cache; missing: {}", gone.digest);
    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![gone])).await;
    assert_eq!(no_cache(&store).await, line);
}

#[tokio::test]
async fn an_attestation_beside_an_image_with_a_cache_is_no_finding() {
    let (store, with_cache, _) = image().await;
    let statement = store.insert(MediaType::new("application/vnd.in-toto+json"), "{}");
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, r#"{"rootfs":{"diff_ids":[]}}"#);
    let attestation = ImageManifest::new(config, vec![statement]);
    let attestation = store.insert(MediaType::OCI_MANIFEST, attestation.encode());
    publish_bytes(&store, MediaType::OCI_INDEX, index(vec![with_cache, attestation])).await;
    let report = report(&store).await;
    assert_eq!((lines(&report).as_str(), report.caches), ("", 1));
}

#[tokio::test]
async fn an_image_with_a_cache_and_a_short_history_is_an_error() {
    let (store, _, manifest) = image().await;
    let bytes = store.memory.blob(&manifest.config.digest).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let history = config["history"].as_array_mut().unwrap();
    let last = history.iter().rposition(|step| step.get("empty_layer").is_none()).unwrap();
    history.remove(last);
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, config.to_string());
    let cut = ImageManifest { config, ..manifest };
    publish_bytes(&store, MediaType::OCI_MANIFEST, cut.encode()).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"error history-too-short: image sha256:#0, config sha256:#1: its history has 2 steps with a layer, but the image has 3 layers, and buildkitd 0.32 crashes when it imports that; build the image again without changing its layers afterwards");
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
