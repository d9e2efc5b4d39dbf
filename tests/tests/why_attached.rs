//! Build records that are attached to images, in a folder and in Docker's registry.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_explain::Build;
use cache_format::{ImageIndex, ImageManifest};
use cache_ingest::{ErrorKind, Expect, Job, LayoutOptions, LayoutStore, Name, ReadStore, Source, WriteStore};
use cache_inputs::{RecordError, attached_builds, read_builds};
use cache_model::{Descriptor, MediaType, Platform};
use cache_registry::{Client, ClientOptions, RegistryStore};
use serde_json::{Value, json};
use test_registries::{DockerRegistry, Guard};
use tests::why::WhyCase;

const STATEMENT: &str = "application/vnd.in-toto+json";
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// The predicates of `plat-two`, by platform.
fn predicates() -> Vec<(Platform, Value)> {
    let metadata: Value = serde_json::from_slice(&WhyCase::load("plat-two").provenance()).unwrap();
    let platforms = ["linux/386", "linux/amd64"];
    platforms
        .map(|platform| {
            let predicate = metadata[format!("buildx.build.provenance/{platform}")].clone();
            (platform.parse().unwrap(), predicate)
        })
        .into()
}

async fn put(store: &dyn WriteStore, media_type: &str, bytes: impl Into<Vec<u8>>) -> Descriptor {
    let bytes = bytes.into();
    let descriptor = Descriptor::of(MediaType::new(media_type), &bytes);
    store.put(&descriptor, &Source::from_bytes(descriptor.clone(), bytes)).await.unwrap();
    descriptor
}

async fn put_manifest(store: &dyn WriteStore, manifest: &ImageManifest) -> Descriptor {
    let bytes = manifest.encode();
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
    let name = Name::Digest(descriptor.digest);
    store.publish(&name, &descriptor, bytes.into(), Expect::Any).await.unwrap();
    descriptor
}

/// An image without layers.
async fn put_image(store: &dyn WriteStore, platform: &Platform) -> Descriptor {
    let config =
        json!({"os": platform.os, "architecture": platform.architecture, "rootfs": {"type": "layers"}});
    let config = put(store, MediaType::OCI_IMAGE_CONFIG.as_str(), config.to_string()).await;
    put_manifest(store, &ImageManifest::new(config, Vec::new())).await.with_platform(platform.clone())
}

/// The attestations of an image, as buildx attaches them: a bill of materials, which nobody reads, and provenance.
async fn put_attestation(store: &dyn WriteStore, image: &Descriptor, predicate: &Value) -> Descriptor {
    let config = put(store, MediaType::OCI_IMAGE_CONFIG.as_str(), r#"{"architecture":"unknown"}"#).await;
    let materials = put(store, STATEMENT, r#"{"predicate":"not JSON"#).await;
    let kind = "https://slsa.dev/provenance/v1";
    let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind, "subject": [], "predicate": predicate});
    let provenance = put(store, STATEMENT, statement.to_string()).await;
    let layers = vec![
        materials.with_annotation(PREDICATE_TYPE, "https://spdx.dev/Document"),
        provenance.with_annotation(PREDICATE_TYPE, kind),
    ];
    let manifest = put_manifest(store, &ImageManifest::new(config, layers)).await;
    manifest
        .with_platform(Platform::new("unknown", "unknown"))
        .with_annotation("vnd.docker.reference.type", "attestation-manifest")
        .with_annotation("vnd.docker.reference.digest", &image.digest.to_string())
}

async fn put_index(store: &dyn WriteStore, tag: &str, entries: Vec<Descriptor>) -> Descriptor {
    let bytes = ImageIndex::new(entries).encode();
    let descriptor = Descriptor::of(MediaType::OCI_INDEX, &bytes);
    store.publish(&Name::Tag(tag.to_owned()), &descriptor, bytes.into(), Expect::Any).await.unwrap();
    descriptor
}

async fn read(store: &dyn ReadStore, name: &Name) -> Result<Vec<Build>, RecordError> {
    let resolved = store.resolve(name).await.unwrap();
    attached_builds(&store, &resolved, &Job::default()).await
}

/// Stores an image of two platforms as `app`, and reads what is attached to it in several ways.
async fn attaches_and_reads<S: ReadStore + WriteStore>(store: &S) {
    let (mut images, mut attestations) = (Vec::new(), Vec::new());
    for (platform, predicate) in predicates() {
        let image = put_image(store, &platform).await;
        attestations.push(put_attestation(store, &image, &predicate).await);
        images.push(image);
    }
    let app = put_index(store, "app", [images.clone(), attestations.clone()].concat()).await;
    let expected = read_builds(&WhyCase::load("plat-two").provenance()).unwrap();
    let tag = |tag: &str| Name::Tag(tag.to_owned());
    assert_eq!(read(store, &tag("app")).await.unwrap(), expected);

    // An index within an index, as some tools make it.
    put_index(store, "outer", vec![app]).await;
    assert_eq!(read(store, &tag("outer")).await.unwrap(), expected);

    // The manifest of attestations alone does not say for which platform they are.
    let mut first = expected[0].clone();
    first.target = None;
    assert_eq!(read(store, &Name::Digest(attestations[0].digest)).await.unwrap(), [first]);

    put_index(store, "plain", images.clone()).await;
    for name in [tag("plain"), Name::Digest(images[0].digest)] {
        let error = read(store, &name).await.unwrap_err();
        assert!(matches!(error, RecordError::NotAttached), "{error}");
    }

    let (platform, mut predicate) = predicates().remove(0);
    predicate["buildDefinition"]["internalParameters"]["buildConfig"] = Value::Null;
    let image = put_image(store, &platform).await;
    let attestation = put_attestation(store, &image, &predicate).await;
    put_index(store, "min", vec![image, attestation]).await;
    let error = read(store, &tag("min")).await.unwrap_err();
    assert!(matches!(error, RecordError::NoSteps), "{error}");
}

async fn layout() -> (tempfile::TempDir, LayoutStore) {
    let folder = tempfile::tempdir().unwrap();
    let options = LayoutOptions::create().with_sync(false);
    let store = LayoutStore::open(folder.path(), options).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn the_builds_of_an_image_in_a_folder_are_those_of_its_metadata_file() {
    let (_folder, store) = layout().await;
    attaches_and_reads(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builds_of_an_image_in_a_registry_are_those_of_its_metadata_file() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let client = Client::new(ClientOptions::default().with_find_credentials(false)).unwrap();
    let store = RegistryStore::new(&client, &format!("{}/app", registry.host()).parse().unwrap());
    attaches_and_reads(&store).await;
}

#[tokio::test]
async fn provenance_that_is_missing_or_above_the_limit_is_an_error_of_the_store() {
    let (folder, store) = layout().await;
    let (platform, predicate) = predicates().remove(0);
    let image = put_image(&store, &platform).await;
    let attestation = put_attestation(&store, &image, &predicate).await;
    put_index(&store, "app", vec![image, attestation]).await;
    let resolved = cache_ingest::Resolver::resolve(&store, &Name::Tag("app".to_owned())).await.unwrap();
    let small = Job::default().with_max_metadata(3000);
    let error = attached_builds(&store, &resolved, &small).await.unwrap_err();
    assert!(matches!(&error, RecordError::Store(error) if error.kind() == ErrorKind::TooLarge), "{error}");
    let blobs = folder.path().join("blobs/sha256");
    for blob in std::fs::read_dir(&blobs).unwrap() {
        let blob = blob.unwrap();
        if blob.metadata().unwrap().len() > 3000 {
            std::fs::remove_file(blob.path()).unwrap();
        }
    }
    let error = attached_builds(&store, &resolved, &Job::default()).await.unwrap_err();
    assert!(matches!(&error, RecordError::Store(error) if error.kind() == ErrorKind::NotFound), "{error}");
    assert!(error.to_string().starts_with("the build record cannot be read: "), "{error}");
}
