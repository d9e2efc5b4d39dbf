//! What a job promises: one budget of retries and one limit of metadata for everything that it does, wherever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::Duration;

use bytes::Bytes;
use cache_export::{Destination, ExistingCache, republish};
use cache_import::{ImportError, OpenedCache, open};
use cache_ingest::{
    AboveMetadataLimit, Error, ErrorKind, Expect, Ingester, Job, LayoutOptions, LayoutStore, MemoryStore,
    Name, Provider, Publisher, ReadStore, Resolver, RetryBudget, RetryPolicy, Source,
};
use cache_model::{Descriptor, MediaType, grouped};
use cache_registry::{Client, ClientOptions, RegistryStore};
use cache_verify::{FindingKind, VerifyOptions, verify};
use test_registries::{Answer, Fault, On, Registry, Server};
use tests::fixture;

const CACHE: &str = "app-max-manifest-oci-gzip";
const LATEST: Name = Name::Unspecified;
/// A limit that the manifests, indexes and lists of these tests exceed.
const LOW: u64 = 10;

/// A job that retries a blob or request as often as its budget allows.
fn job(budget: u32) -> Job {
    let wait = Duration::from_millis(1);
    let retry = RetryPolicy::default().with_retries(1000).with_waits(wait, wait);
    Job::default().with_retry(retry).with_budget(RetryBudget::new(budget))
}

fn store(server: &Server<Registry>, job: &Job) -> RegistryStore {
    let options = ClientOptions::default().with_job(job.clone()).with_find_credentials(false);
    let repository = format!("{}/team/app", server.host()).parse().unwrap();
    RegistryStore::new(&Client::new(options).unwrap(), &repository)
}

/// A scripted registry with a real cache, tagged `latest`, and one of its layers.
async fn with_cache() -> (Server<Registry>, OpenedCache, Descriptor) {
    let server = Server::start(Registry::default()).await;
    let layout = LayoutStore::open(fixture(CACHE), LayoutOptions::default()).await.unwrap();
    let opened = open(&layout, &LATEST, &Job::default()).await.unwrap();
    copy(&layout, &opened, &store(&server, &Job::default()), &Job::default()).await.unwrap();
    let layer = opened.manifest().unwrap().layers[0].clone();
    server.forget_seen();
    (server, opened, layer)
}

async fn copy(
    from: &dyn Provider,
    opened: &OpenedCache,
    to: &dyn cache_ingest::WriteStore,
    job: &Job,
) -> Result<(), String> {
    let imported = opened.import(from, job).await.map_err(|error| error.to_string())?;
    let cache = &imported.caches[0];
    let manifest = opened.manifest().unwrap();
    let existing = ExistingCache::new(&opened.descriptor, &opened.bytes, manifest, &cache.config_bytes);
    let to = Destination::new(to, &LATEST);
    republish(&existing, from, &to, job).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_opened_by_one_request_and_imported_by_two() {
    let (server, ..) = with_cache().await;
    let store = store(&server, &Job::default());
    let opened = open(&store, &LATEST, &Job::default()).await.unwrap();
    let requests = server.seen();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].is("GET", "/manifests/latest"), "{requests:?}");
    opened.import(&store, &Job::default()).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    server.forget_seen();
    verify(&store, &LATEST, &VerifyOptions::default().with_blobs(false), &Job::default()).await.unwrap();
    assert_eq!((server.seen_with("GET", "").len(), server.seen_with("GET", "/manifests/").len()), (2, 1));
}

/// The manifest, the config and a layer fail twice each.
async fn that_fails_six_times() -> (Server<Registry>, OpenedCache) {
    let (server, opened, layer) = with_cache().await;
    let config = opened.manifest().unwrap().config.digest;
    let parts = ["/manifests/latest".to_owned(), config.to_string(), layer.digest.to_string()];
    for part in parts {
        server.fault(On::new("GET", &part).times(2), Fault::status(503));
    }
    (server, opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_config_and_layers_of_a_copy_draw_on_one_budget() {
    for budget in [6, 5] {
        let (server, _) = that_fails_six_times().await;
        let job = job(budget);
        let store = store(&server, &job);
        let opened = open(&store, &LATEST, &job).await.unwrap();
        assert_eq!(job.budget.left(), budget - 2, "after the manifest");
        opened.import(&store, &job).await.unwrap();
        assert_eq!(job.budget.left(), budget - 4, "after the config");
        let copied = copy(&store, &opened, &MemoryStore::new(), &job).await;
        assert_eq!((copied.is_ok(), job.budget.left()), (budget == 6, 0), "{copied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_and_an_import_end_with_the_budget() {
    let (server, _) = that_fails_six_times().await;
    let none = job(1);
    let error = open(&store(&server, &none), &LATEST, &none).await.unwrap_err();
    assert_eq!((error.kind(), none.budget.left()), (ErrorKind::Unavailable, 0));
    let (server, _) = that_fails_six_times().await;
    let few = job(3);
    let store = store(&server, &few);
    let opened = open(&store, &LATEST, &few).await.unwrap();
    let error = opened.import(&store, &few).await.unwrap_err();
    assert_eq!((error.kind(), few.budget.left()), (ErrorKind::Unavailable, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_config_and_layers_that_are_verified_draw_on_one_budget() {
    for budget in [6, 5] {
        let (server, _) = that_fails_six_times().await;
        let job = job(budget);
        let report = verify(&store(&server, &job), &LATEST, &VerifyOptions::default(), &job).await.unwrap();
        assert_eq!((report.is_sound(), job.budget.left()), (budget == 6, 0), "{:?}", report.findings);
    }
}

/// An error that says which limit it is about, in words and as a cause.
fn is_above(error: &Error, limit: u64) {
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(error.cause_as::<AboveMetadataLimit>().map(|cause| cause.limit), Some(limit), "{error}");
    assert!(
        error.to_string().contains(&format!("limit of {} bytes for metadata", grouped(limit))),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_lowered_holds_for_everything_and_is_named() {
    let low = Job::default().with_max_metadata(LOW);
    let (server, opened, _) = with_cache().await;
    let registry = store(&server, &low);
    is_above(&registry.resolve(&LATEST).await.unwrap_err(), LOW);
    is_above(&registry.standing(&LATEST, &opened.descriptor).await.unwrap_err(), LOW);
    is_above(&registry.tags().await.unwrap_err(), LOW);
    let bytes = Bytes::from_static(b"{\"schemaVersion\":2}");
    let manifest = Descriptor::of(MediaType::OCI_INDEX, &bytes);
    let pushed = registry.put(&manifest, &Source::from_bytes(manifest.clone(), bytes)).await;
    is_above(&pushed.unwrap_err(), LOW);

    let layout = LayoutOptions::default().with_max_metadata(LOW);
    is_above(&LayoutStore::open(fixture(CACHE), layout).await.unwrap_err(), LOW);
    let folder = tempfile::tempdir().unwrap();
    let layout = LayoutOptions::create().with_sync(false).with_max_metadata(LOW);
    let layout = LayoutStore::open(folder.path(), layout).await.unwrap();
    is_above(
        &layout.publish(&LATEST, &manifest, "{\"schemaVersion\":2}".into(), Expect::Any).await.unwrap_err(),
        LOW,
    );

    let honest = store(&server, &Job::default());
    let error = open(&honest, &LATEST, &low).await.unwrap_err();
    assert!(matches!(error, ImportError::TooLarge { what: "manifest", limit: LOW, .. }), "{error}");
    let error = opened.import(&honest, &low).await.unwrap_err();
    assert!(matches!(error, ImportError::TooLarge { what: "cache config", limit: LOW, .. }), "{error}");
    let report = verify(&honest, &LATEST, &VerifyOptions::default(), &low).await.unwrap();
    assert!(matches!(report.findings[0].kind, FindingKind::TooLarge { limit: LOW, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_raised_holds_for_everything() {
    let above = usize::try_from(Job::DEFAULT_MAX_METADATA).unwrap() + 1;
    let high = Job::default().with_max_metadata(above as u64);
    let large = Bytes::from(vec![b' '; above]);
    let descriptor = Descriptor::of(MediaType::OCI_INDEX, &large);

    let server = Server::start(Registry::default()).await;
    server.service.content.insert_manifest(
        "team/app",
        Some("latest"),
        MediaType::OCI_INDEX.as_str(),
        large.clone(),
    );
    is_above(&store(&server, &Job::default()).resolve(&LATEST).await.unwrap_err(), Job::DEFAULT_MAX_METADATA);
    assert_eq!(store(&server, &high).resolve(&LATEST).await.unwrap().descriptor, descriptor);
    let list = format!("{{\"tags\":[\"a\"]{}}}", " ".repeat(above - 14));
    server.fault(On::new("GET", "/tags/list").always(), Fault::Answer(Answer::new(200).body(list)));
    is_above(&store(&server, &Job::default()).tags().await.unwrap_err(), Job::DEFAULT_MAX_METADATA);
    assert_eq!(store(&server, &high).tags().await.unwrap(), ["a"]);

    let memory = MemoryStore::new();
    memory.publish(&LATEST, &descriptor, large.clone(), Expect::Any).await.unwrap();
    let kind = async |job: &Job| open(&memory as &dyn ReadStore, &LATEST, job).await.unwrap_err().kind();
    assert_eq!(kind(&Job::default()).await, ErrorKind::TooLarge);
    assert_eq!(kind(&high).await, ErrorKind::Corrupt, "it is read, and is no manifest");
    let code = async |job: &Job| {
        let report = verify(&memory, &LATEST, &VerifyOptions::default(), job).await.unwrap();
        report.findings[0].kind.code()
    };
    assert_eq!((code(&Job::default()).await, code(&high).await), ("too-large", "manifest-unreadable"));

    let folder = tempfile::tempdir().unwrap();
    LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    std::fs::write(folder.path().join("index.json"), &large).unwrap();
    let kind = async |options| LayoutStore::open(folder.path(), options).await.unwrap_err().kind();
    assert_eq!(kind(LayoutOptions::default()).await, ErrorKind::TooLarge);
    assert_eq!(kind(LayoutOptions::default().with_max_metadata(above as u64)).await, ErrorKind::Corrupt);
}
