//! An impatient client, and copies whose outcome is checked closely.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cache_conformance::Blob;
use cache_ingest::{
    ByteStream, Error, Info, Ingester, Job, LayoutOptions, LayoutStore, MemoryStore, Origin, Provider,
    RetryBudget, RetryPolicy, Step, Stored, copy,
};
use cache_model::Descriptor;
use cache_registry::{Client, ClientOptions, Credentials, RegistryStore};
use futures_util::{StreamExt, stream};
use test_registries::{Fault, Registry, Server, sha256};

pub(crate) const PASSWORD: &str = "open:sesame";

/// The size of most blobs, in bytes: several pieces of a body.
pub(crate) const SIZE: u32 = 700_000;

pub(crate) fn policy() -> RetryPolicy {
    RetryPolicy::default().with_retries(4).with_waits(Duration::from_millis(1), Duration::from_millis(5))
}

pub(crate) fn options() -> ClientOptions {
    ClientOptions::default()
        .with_job(copying())
        .with_find_credentials(false)
        .with_stall(Duration::from_secs(20))
}

/// Options with a short stall for faults in which the server is silent.
pub(crate) fn options_for(fault: &Fault) -> ClientOptions {
    let stall = match fault {
        Fault::Silence | Fault::StallBody(_) | Fault::Trickle(_) => Duration::from_millis(400),
        _ => options().stall,
    };
    options().with_stall(stall)
}

pub(crate) fn as_user(host: &str, user: &str, password: &str) -> ClientOptions {
    options().with_credentials(host, Credentials::password(user, password))
}

pub(crate) fn store_with(options: ClientOptions, host: &str, path: &str) -> RegistryStore {
    RegistryStore::new(&Client::new(options).unwrap(), &format!("{host}/{path}").parse().unwrap())
}

/// The repository `team/app` of a scripted registry.
pub(crate) fn app(server: &Server<Registry>) -> RegistryStore {
    store_with(options(), &server.host(), "team/app")
}

pub(crate) const APP: &str = "team/app";

pub(crate) async fn scripted() -> Server<Registry> {
    Server::start(Registry::default()).await
}

/// A job with short waits and many retries.
pub(crate) fn copying() -> Job {
    Job::default().with_retry(policy()).with_budget(RetryBudget::new(1000))
}

/// Copies a blob to another store.
pub(crate) async fn transfer(blob: &Blob, from: &dyn Provider, to: &dyn Ingester) -> Result<Stored, Error> {
    copy(Step::Layer, &blob.descriptor, from, to, &copying()).await
}

/// Copies a blob into a folder. Afterwards the folder has the blob, or there was an error and the folder has no blob.
pub(crate) async fn pull(blob: &Blob, from: &dyn Provider) -> Result<Bytes, Error> {
    let folder = tempfile::tempdir().unwrap();
    let layout = LayoutStore::open(folder.path(), LayoutOptions::create()).await.unwrap();
    let outcome = transfer(blob, from, &layout).await;
    let blobs = files(&folder.path().join("blobs/sha256"));
    assert!(blobs.iter().all(|(name, bytes)| sha256(bytes) == format!("sha256:{name}")), "unverified");
    assert_eq!(blobs.len(), usize::from(outcome.is_ok()), "{outcome:?}");
    outcome.map(|_| blobs[0].1.clone().into())
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |path: &Path| std::fs::read(path).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), read(&entry.path())))
        .collect()
}

/// Asserts that an error is one line with its subject and without a secret.
pub(crate) fn assert_clear(error: &Error) {
    let text = error.to_string();
    let named = text.contains("127.0.0.1") || text.contains("sha256:");
    assert!(!text.contains('\n') && text.len() > 30 && named, "{text}");
    for secret in [PASSWORD, "token-", "s3cr3t", "signature", "Basic ", "Bearer "] {
        assert!(!format!("{text} {error:?}").contains(secret), "{secret}: {error:?}");
    }
}

/// Provides the blobs of the first store, and claims that they come from the second.
pub(crate) struct Elsewhere(pub(crate) MemoryStore, pub(crate) RegistryStore);

#[async_trait::async_trait]
impl Provider for Elsewhere {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.0.open(descriptor, offset).await
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        self.1.origin(descriptor)
    }
}

/// A blob of which only the first bytes ever come.
pub(crate) struct Stuck(pub(crate) Blob, pub(crate) usize);

#[async_trait::async_trait]
impl Provider for Stuck {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Ok(Info::new(descriptor.size))
    }

    async fn open(&self, _: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        let first = stream::iter([Ok(self.0.bytes.slice(..self.1))]);
        Ok(Box::pin(first.chain(stream::pending())))
    }
}
