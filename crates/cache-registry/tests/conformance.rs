//! The laws of stores, and what copies rely on, against Docker's registry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cache_conformance::{Blob, Store, assert_conforms};
use cache_ingest::{
    Error, ErrorKind, Expect, Ingester, Job, Name, Publisher, Resolver, RetryBudget, RetryPolicy, Standing,
};
use cache_model::MediaType;
use cache_registry::{Client, ClientOptions, RegistryStore};
use test_registries::{DockerRegistry, Guard};

async fn start() -> Option<DockerRegistry> {
    DockerRegistry::start(Guard::Open).await
}

fn store(registry: &DockerRegistry, client: &Client, path: &str) -> RegistryStore {
    RegistryStore::new(client, &format!("{}/{path}", registry.host()).parse().unwrap())
}

fn client(chunk_size: Option<u64>) -> Client {
    // While one tag is written and read many times, this registry answers 500 now and then.
    let wait = Duration::from_millis(10);
    let retry = RetryPolicy::default().with_retries(5).with_waits(wait, wait * 5);
    let options = ClientOptions::default()
        .with_job(Job::default().with_retry(retry).with_budget(RetryBudget::new(1000)))
        .with_find_credentials(false)
        .with_chunk_size(chunk_size);
    Client::new(options).unwrap()
}

async fn conforms(chunk_size: Option<u64>) {
    let Some(registry) = start().await else { return };
    let client = client(chunk_size);
    let made = AtomicU32::new(0);
    let fresh = || async {
        let store = store(&registry, &client, &format!("law/{}", made.fetch_add(1, Ordering::Relaxed)));
        let unreachable = RegistryStore::new(&client, &"127.0.0.1:1/app".parse().unwrap());
        let complete = Store::complete(store.clone()).with_lister(store.clone());
        let complete = complete.with_remover(store.clone()).with_referrers(store);
        Ok::<_, Error>(complete.with_unreachable(unreachable))
    };
    assert_conforms(&fresh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_obeys_the_laws() {
    conforms(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_obeys_the_laws_with_uploads_in_pieces() {
    conforms(Some(50_001)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_whose_blobs_are_missing_is_incomplete_and_says_so() {
    let Some(registry) = start().await else { return };
    let store = store(&registry, &client(None), "app");
    let config = Blob::new(MediaType::CACHE_CONFIG, "{}");
    let manifest = Blob::manifest(&config, &[]);
    let name = Name::Tag("v1".into());
    let publish = || store.publish(&name, &manifest.descriptor, manifest.bytes.clone(), Expect::Any);
    let error = publish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    assert!(error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
    store.put(&config.descriptor, &config.source()).await.unwrap();
    assert_ne!(store.standing(&name, &manifest.descriptor).await.unwrap(), Standing::Published);
    publish().await.unwrap();
    assert_eq!(store.standing(&name, &manifest.descriptor).await.unwrap(), Standing::Published);
    assert_eq!(store.resolve(&name).await.unwrap().descriptor.digest, manifest.descriptor.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tags_of_a_repository_are_listed() {
    let Some(registry) = start().await else { return };
    let store = store(&registry, &client(None), "app");
    assert_eq!(store.tags().await.unwrap_err().kind(), ErrorKind::NotFound);
    let index = Blob::index("one");
    for tag in ["b", "a", "c"] {
        let name = Name::Tag(tag.into());
        store.publish(&name, &index.descriptor, index.bytes.clone(), Expect::Absent).await.unwrap();
    }
    let mut tags = store.tags().await.unwrap();
    tags.sort();
    assert_eq!(tags, ["a", "b", "c"]);
}
