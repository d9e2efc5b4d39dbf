//! BuildKit's view of what this project writes: the one in Docker's daemon builds from our caches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use bytes::Bytes;
use cache_export::{Destination, ExportOptions, Exporter, Reading};
use cache_format::Form;
use cache_import::{ImportOptions, Imported, open};
use cache_ingest::{Expect, MemoryStore, Name};
use cache_model::{Descriptor, MediaType};
use serde_json::Value;
use test_registries::{Client, Docker, DockerRegistry, Guard, Step};

const IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image in a registry, with all that it names, in a store under `latest`.
async fn pull(client: &Client, repository: &str, tag: &str) -> MemoryStore {
    let store = MemoryStore::new();
    let target = format!("/v2/{repository}/manifests/{tag}");
    let image = client.clone().with("Accept", IMAGE).get(&target).await.unwrap();
    assert_eq!(image.header("Content-Type"), Some(IMAGE));
    let text: Value = image.json();
    let layers = text["layers"].as_array().unwrap().clone();
    for blob in [text["config"].clone()].into_iter().chain(layers) {
        let digest = blob["digest"].as_str().unwrap();
        let bytes = client.get(&format!("/v2/{repository}/blobs/{digest}")).await.unwrap().body;
        let stored = store.insert(MediaType::new(blob["mediaType"].as_str().unwrap()), bytes);
        assert_eq!(stored.digest.to_string(), digest);
    }
    name(&store, &store.insert(MediaType::new(IMAGE), image.body)).await;
    store
}

async fn name(store: &MemoryStore, manifest: &Descriptor) {
    use cache_ingest::Publisher;
    let bytes = store.blob(&manifest.digest).unwrap();
    store.publish(&latest(), manifest, bytes, Expect::Any).await.unwrap();
}

fn latest() -> Name {
    Name::Tag("latest".to_owned())
}

/// Everything of a store into a registry, the manifest last and under a tag.
async fn push(store: &MemoryStore, manifest: &Descriptor, client: &Client, repository: &str, tag: &str) {
    for digest in store.digests().into_iter().filter(|digest| *digest != manifest.digest) {
        let target = format!("/v2/{repository}/blobs/uploads/");
        let begun = client.send("POST", &target, b"").await.unwrap();
        let place = format!("{}&digest={digest}", begun.header("Location").unwrap());
        assert_eq!(client.send("PUT", &place, &store.blob(&digest).unwrap()).await.unwrap().status, 201);
    }
    let bytes: Bytes = store.blob(&manifest.digest).unwrap();
    let typed = client.clone().with("Content-Type", manifest.media_type.as_str());
    let done = typed.send("PUT", &format!("/v2/{repository}/manifests/{tag}"), &bytes).await.unwrap();
    assert_eq!(done.status, 201, "{done:?}");
}

async fn import(store: &MemoryStore) -> Imported {
    let options = ImportOptions::default();
    open(store, store, &latest(), &options).await.unwrap().import(store, &options).await.unwrap()
}

/// The cache inside an image as one of its own, in the form of an index: the BuildKit in Docker 20.10 imports no other.
async fn own_index(image: &MemoryStore) -> (MemoryStore, Descriptor) {
    let chains = import(image).await.into_chains().unwrap().chains;
    let store = MemoryStore::new();
    let to = Destination { ingester: &store, publisher: &store, name: &latest(), expect: Expect::Absent };
    let options = ExportOptions { form: Form::Index, reading: Reading::Closed, ..ExportOptions::default() };
    let exported = Exporter::with_chains(chains, image).finalize(&to, &options, &()).await.unwrap();
    assert!(exported.warnings.is_empty(), "{:?}", exported.warnings);
    (store, exported.manifest.unwrap())
}

/// Builds, pushes the image with its inline cache, forgets everything, and builds again from that cache once it was
/// made one of its own.
#[tokio::test]
async fn buildkit_takes_every_step_from_an_inline_cache_that_became_an_index() {
    let (Some(docker), Some(registry)) = (Docker::start().await, DockerRegistry::start(Guard::Open).await)
    else {
        return;
    };
    let context = tempfile::tempdir().unwrap();
    Docker::write_context(context.path());
    let image = format!("{}/app:image", registry.host());
    let inline = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", &image];
    let built = docker.build(context.path(), &inline).await;
    assert!(built.len() == 5 && built.iter().all(|step| !step.cached), "{built:?}");
    docker.run(&["push", &image]).await;

    let pulled = pull(&registry.client(), "app", "image").await;
    let cache = import(&pulled).await;
    assert_eq!((cache.caches.len(), cache.caches[0].layers.len()), (1, 5));
    let (store, manifest) = own_index(&pulled).await;
    push(&store, &manifest, &registry.client(), "cache", "index").await;

    let from = async |name: &str| -> Vec<Step> {
        docker.prune().await;
        let cache = format!("{}/{name}", registry.host());
        docker.build(context.path(), &["--cache-from", &cache]).await
    };
    for name in ["app:image", "cache:index"] {
        let steps = from(name).await;
        assert!(steps.len() == 5 && steps.iter().all(|step| step.cached), "{name}: {steps:?}");
    }
    // The control: without a cache it does each step, though it says nothing of an error.
    let steps = from("cache:none").await;
    assert!(steps.len() == 5 && steps.iter().all(|step| !step.cached), "{steps:?}");
}
