//! The laws of stores, and what copies rely on, against Docker's registry.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cache_conformance::{Blob, Store, assert_conforms};
use cache_ingest::{
    CopyOptions, Error, ErrorKind, Expect, Ingester, MemoryStore, Name, Provider, Publisher, Resolver,
    RetryBudget, RetryPolicy, Step, Stored, copy,
};
use cache_model::{Algorithm, MediaType};
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
    let options = ClientOptions {
        retry: RetryPolicy { retries: 5, first_wait: wait, longest_wait: wait * 5 },
        budget: RetryBudget::new(1000),
        find_credentials: false,
        chunk_size,
        ..ClientOptions::default()
    };
    Client::new(options).unwrap()
}

async fn conforms(chunk_size: Option<u64>) {
    let Some(registry) = start().await else { return };
    let client = client(chunk_size);
    let nobody =
        format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let made = AtomicU32::new(0);
    let fresh = || async {
        let store = store(&registry, &client, &format!("law/{}", made.fetch_add(1, Ordering::Relaxed)));
        let unreachable = RegistryStore::new(&client, &format!("{nobody}/app").parse().unwrap());
        let complete = Store::complete(store.clone()).with_lister(store);
        Ok::<_, Error>(complete.not_atomic().with_unreachable(unreachable))
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
async fn a_blob_of_another_repository_is_mounted() {
    let Some(registry) = start().await else { return };
    let client = client(None);
    let (one, two) = (store(&registry, &client, "one"), store(&registry, &client, "two").for_push());
    let layer = Blob::layer(Algorithm::Sha256, 300_000);
    assert_eq!(one.put(&layer.descriptor, &layer.source()).await.unwrap(), Stored::Stored);
    let options = CopyOptions::default();
    let stored = copy(Step::Layer, &layer.descriptor, &one, &two, &options, &()).await.unwrap();
    assert_eq!(stored, Stored::Mounted);
    let stored = copy(Step::Layer, &layer.descriptor, &one, &two, &options, &()).await.unwrap();
    assert_eq!(stored, Stored::AlreadyPresent);
    // One that the origin does not have is declined, and the session is used.
    let other = Blob::layer(Algorithm::Sha256, 300_001);
    let memory = MemoryStore::new();
    memory.insert(MediaType::default(), other.bytes.clone());
    let lying = Elsewhere(memory, one);
    let stored = copy(Step::Layer, &other.descriptor, &lying, &two, &options, &()).await.unwrap();
    assert_eq!(stored, Stored::Stored);
    assert_eq!(two.info(&other.descriptor).await.unwrap().size, 300_001);
}

/// Gives the blobs of one store and says that they are in another.
struct Elsewhere(MemoryStore, RegistryStore);

#[async_trait::async_trait]
impl Provider for Elsewhere {
    async fn info(&self, descriptor: &cache_model::Descriptor) -> Result<cache_ingest::Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(
        &self,
        descriptor: &cache_model::Descriptor,
        offset: u64,
    ) -> Result<cache_ingest::ByteStream, Error> {
        self.0.open(descriptor, offset).await
    }

    fn origin(&self, descriptor: &cache_model::Descriptor) -> Option<cache_ingest::Origin> {
        self.1.origin(descriptor)
    }
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
    assert!(!store.is_published(&name, &manifest.descriptor).await.unwrap());
    publish().await.unwrap();
    assert!(store.is_published(&name, &manifest.descriptor).await.unwrap());
    assert_eq!(store.resolve(&name).await.unwrap().digest, manifest.descriptor.digest);
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
