//! The laws of stores, and whole exports and copies, against `docker-registry` of Debian.
//!
//! It is started on a free port of this machine and stopped by the test. With `BKCACHE_REQUIRE_PEERS` set, not having
//! it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cache_conformance::{Blob, Store, assert_conforms};
use cache_ingest::{
    CopyOptions, Error, ErrorKind, Expect, Ingester, MemoryStore, Name, Provider, Publisher, Resolver,
    RetryBudget, RetryPolicy, Step, Stored, copy,
};
use cache_model::{Algorithm, MediaType};
use cache_registry::{Client, ClientOptions, RegistryStore};

/// A registry that ends with the test.
struct Registry {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("config.yml");
        let data = folder.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else {
            let message = "docker-registry is missing (Debian: apt-get install docker-registry)";
            assert!(std::env::var_os("BKCACHE_REQUIRE_PEERS").is_none(), "{message}");
            eprintln!("skipped: {message}");
            return None;
        };
        let registry = Self { process, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }

    fn store(&self, client: &Client, path: &str) -> RegistryStore {
        RegistryStore::new(client, &format!("127.0.0.1:{}/{path}", self.port).parse().unwrap())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
    let Some(registry) = Registry::start() else { return };
    let client = client(chunk_size);
    let nobody =
        format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let made = AtomicU32::new(0);
    let fresh = || async {
        let store = registry.store(&client, &format!("law/{}", made.fetch_add(1, Ordering::Relaxed)));
        let unreachable = RegistryStore::new(&client, &format!("{nobody}/app").parse().unwrap());
        Ok::<_, Error>(Store::complete(store).not_atomic().with_unreachable(unreachable))
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
    let Some(registry) = Registry::start() else { return };
    let client = client(None);
    let (one, two) = (registry.store(&client, "one"), registry.store(&client, "two").for_push());
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
    let Some(registry) = Registry::start() else { return };
    let store = registry.store(&client(None), "app");
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
    let Some(registry) = Registry::start() else { return };
    let store = registry.store(&client(None), "app");
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
