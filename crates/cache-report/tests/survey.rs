//! Surveys of caches, of images, and of neither.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_format::{Form, ImageIndex, ImageManifest, ManifestOrIndex};
use cache_import::{ImportError, contents};
use cache_ingest::{ErrorKind, Job, LayoutOptions, LayoutStore, MemoryStore, Name, Provider, Resolver};
use cache_model::{Descriptor, MediaType};
use cache_report::{Content, Survey};

async fn survey(store: &dyn Provider, descriptor: &Descriptor) -> Result<Survey, ImportError> {
    let contents = contents(store, &descriptor.clone().into(), &Job::default()).await?;
    let mut survey = Survey::of(&contents.opened.descriptor, &contents.opened.unpacked);
    contents.manifests.iter().for_each(|manifest| survey.add_entry(manifest));
    contents.images.iter().for_each(|image| survey.add_image(&image.manifest, image.newest));
    for cache in &contents.imported.caches {
        survey.add_cache(&cache.origin, &cache.config);
    }
    Ok(survey)
}

async fn of_fixture(name: &str) -> Survey {
    let folder = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let store = LayoutStore::open(folder, LayoutOptions::default()).await.unwrap();
    let only = store.resolve(&Name::Unspecified).await.unwrap().descriptor;
    survey(&store, &only).await.unwrap()
}

/// The size of all blobs of a fixture.
fn stored(name: &str) -> u64 {
    let folder = format!("{}/../../tests/fixtures/{name}/blobs/sha256", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn a_real_cache_has_its_form_and_the_size_of_its_folder() {
    for (name, content, records) in [
        ("app-max-manifest-oci-gzip", Content::Cache(Form::Manifest), 22),
        ("app-max-index-oci-gzip", Content::Cache(Form::Index), 22),
        ("app-max-index-docker-gzip", Content::Cache(Form::DockerList), 22),
        ("wide-40", Content::Cache(Form::Manifest), 161),
        ("inline-oci-true", Content::ImageWithCache, 31),
    ] {
        let found = of_fixture(name).await;
        assert_eq!(
            (found.content(), found.records(), found.size()),
            (&content, records, stored(name)),
            "{name}"
        );
        assert!(found.newest().is_some(), "{name}");
    }
}

fn manifest(store: &MemoryStore, config: Descriptor, layer: &str) -> Descriptor {
    let layers = vec![store.insert(MediaType::OCI_LAYER_TAR, layer.to_owned())];
    let manifest = ManifestOrIndex::Manifest(ImageManifest::new(config, layers));
    store.insert(MediaType::OCI_MANIFEST, manifest.encode())
}

fn image(store: &MemoryStore, created: &str, layer: &str) -> Descriptor {
    let text = format!(r#"{{"history":[{{"created":"{created}"}},{{}}],"rootfs":{{"diff_ids":[]}}}}"#);
    manifest(store, store.insert(MediaType::OCI_IMAGE_CONFIG, text), layer)
}

async fn of(store: &MemoryStore, descriptor: &Descriptor) -> Survey {
    survey(store, descriptor).await.unwrap()
}

fn total(store: &MemoryStore) -> u64 {
    store.digests().iter().map(|digest| store.blob(digest).unwrap().len() as u64).sum()
}

#[tokio::test]
async fn an_index_of_images_is_an_image_with_each_blob_counted_once() {
    let store = MemoryStore::new();
    let images = vec![
        image(&store, "2020-01-01T00:00:00Z", "shared"),
        image(&store, "2021-01-01T00:00:00Z", "shared"),
    ];
    let index = ManifestOrIndex::Index(ImageIndex::new(images.clone()));
    let index = store.insert(MediaType::OCI_INDEX, index.encode());
    let found = of(&store, &index).await;
    assert_eq!((found.content(), found.records(), found.size()), (&Content::Image, 0, total(&store)));
    assert_eq!(found.newest().unwrap().to_string(), "2021-01-01T00:00:00Z");
    // The manifest of a missing image counts, since the index has its size.
    let size = images[0].size;
    store.remove(&images[0].digest);
    let found = of(&store, &index).await;
    assert!(*found.content() == Content::Image && found.size() > size);
}

#[tokio::test]
async fn an_image_without_its_config_in_the_store_is_an_image_without_an_age() {
    let store = MemoryStore::new();
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, "{}");
    let torn = manifest(&store, config.clone(), "layer");
    let index = ManifestOrIndex::Index(ImageIndex::new(vec![torn.clone()]));
    let index = store.insert(MediaType::OCI_INDEX, index.encode());
    let (image_bytes, all) = (total(&store) - index.size, total(&store));
    store.remove(&config.digest);
    for (descriptor, size) in [(torn, image_bytes), (index, all)] {
        let found = of(&store, &descriptor).await;
        assert_eq!((found.content(), found.size(), found.newest()), (&Content::Image, size, None));
    }
}

#[tokio::test]
async fn an_artifact_has_the_media_type_of_its_config_which_is_not_read() {
    let store = MemoryStore::new();
    let helm = MediaType::new("application/vnd.cncf.helm.config.v1+json");
    let config = store.insert(helm.clone(), "not JSON");
    let chart = manifest(&store, config, "chart");
    let found = of(&store, &chart).await;
    assert_eq!((found.content(), found.size()), (&Content::Other(helm), total(&store)));
    assert_eq!(found.newest(), None);
}

#[tokio::test]
async fn an_image_config_that_is_not_json_is_an_error() {
    let store = MemoryStore::new();
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, "{");
    let broken = manifest(&store, config, "layer");
    let found = survey(&store, &broken).await;
    assert_eq!(found.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_image_with_a_cache_is_one_in_any_order_of_the_calls() {
    let folder = format!("{}/../../tests/fixtures/inline-oci-true", env!("CARGO_MANIFEST_DIR"));
    let store = LayoutStore::open(folder, LayoutOptions::default()).await.unwrap();
    let resolved = store.resolve(&Name::Unspecified).await.unwrap();
    let contents = contents(&store, &resolved, &Job::default()).await.unwrap();
    let mut survey = Survey::of(&contents.opened.descriptor, &contents.opened.unpacked);
    for cache in &contents.imported.caches {
        survey.add_cache(&cache.origin, &cache.config);
    }
    contents.images.iter().for_each(|image| survey.add_image(&image.manifest, image.newest));
    assert_eq!(survey.content(), &Content::ImageWithCache);
}
