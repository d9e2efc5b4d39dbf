//! Docker's registry with each kind of access control: push, pull, mount, resume, push again.

use std::time::Duration;

use cache_conformance::Blob;
use cache_export::{Destination, export};
use cache_ingest::{
    ErrorKind, Expect, Ingester, Job, MemoryStore, Name, Provider, Publisher, Resolver, Standing, Stored,
};
use cache_model::{Algorithm, CacheChains, MediaType, NewResult, Timestamp};
use cache_registry::{Client, ClientCertificate, ClientOptions, RegistryStore};
use test_registries::{Authority, DockerRegistry, Guard, Server, SlowProxy, TokenBehavior, Tokens};

use crate::scene::{APP, Elsewhere, PASSWORD, SIZE, Stuck, as_user, options, pull, store_with, transfer};

/// All operations that a cache needs.
async fn push_pull_mount_and_push_again(registry: &DockerRegistry, options: ClientOptions) {
    let client = Client::new(options).unwrap();
    let store = |path: &str| {
        RegistryStore::new(&client, &format!("{}/{path}", registry.host()).parse().unwrap()).for_push()
    };
    let (config, layer) = (Blob::new(MediaType::CACHE_CONFIG, "{}"), Blob::layer(Algorithm::Sha256, SIZE));
    let memory = MemoryStore::new();
    for blob in [&config, &layer] {
        memory.insert(blob.descriptor.media_type.clone(), blob.bytes.clone());
    }
    let manifest = Blob::manifest(&config, std::slice::from_ref(&layer));
    let name = Name::Tag("v1".to_owned());
    for (path, first) in [(APP, Stored::Stored), (APP, Stored::AlreadyPresent)] {
        for blob in [&config, &layer] {
            assert_eq!(transfer(blob, &memory, &store(path)).await.unwrap(), first);
        }
    }
    let publish =
        store(APP).publish(&name, &manifest.descriptor, manifest.bytes.clone(), Expect::Absent).await;
    publish.unwrap();
    assert_eq!(transfer(&layer, &store(APP), &store("other")).await.unwrap(), Stored::Mounted);
    for path in [APP, "other"] {
        assert_eq!(pull(&layer, &store(path)).await.unwrap(), layer.bytes);
    }
    assert_eq!(store(APP).resolve(&name).await.unwrap().descriptor.digest, manifest.descriptor.digest);
    assert_eq!(store(APP).standing(&name, &manifest.descriptor).await.unwrap(), Standing::Published);
    assert_eq!(store(APP).tags().await.unwrap(), ["v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_registry() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    push_pull_mount_and_push_again(&registry, options()).await;
    push_pull_mount_and_push_again(
        &DockerRegistry::start(Guard::Open).await.unwrap(),
        options().with_chunk_size(100_000),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_passwords() {
    let Some(registry) = DockerRegistry::start(Guard::Passwords(&[("user", PASSWORD)])).await else {
        return;
    };
    push_pull_mount_and_push_again(&registry, as_user(&registry.host(), "user", PASSWORD)).await;
    let stranger = store_with(options(), &registry.host(), APP);
    let error = stranger.resolve(&Name::Unspecified).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_tls_and_one_that_requires_client_certificates() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    authority.identity("client").write(folder.path(), "client");
    let (certificate, key) = (folder.path().join("client.crt"), folder.path().join("client.key"));
    let trusting = || options().with_ca(&ca);
    let Some(registry) = DockerRegistry::start(Guard::Tls(&authority, false)).await else { return };
    push_pull_mount_and_push_again(&registry, trusting()).await;
    let insecure = store_with(options().with_insecure(true), &registry.host(), APP);
    assert!(insecure.resolve(&Name::Tag("v1".to_owned())).await.is_ok());
    // One failure of TLS does not mean that the registry lacks it, whatever it answers to plain HTTP.
    let proxy = SlowProxy::start(registry.address(), Duration::ZERO).await;
    proxy.cut_download(50);
    let insecure = store_with(options().with_insecure(true), &proxy.host(), APP);
    insecure.resolve(&Name::Tag("v1".to_owned())).await.unwrap();
    let registry = DockerRegistry::start(Guard::Tls(&authority, true)).await.unwrap();
    let certificate = ClientCertificate::new(certificate, key);
    push_pull_mount_and_push_again(&registry, trusting().with_certificate(certificate)).await;
    let unknown = store_with(trusting(), &registry.host(), APP);
    let error = unknown.resolve(&Name::Unspecified).await.unwrap_err();
    assert!(error.to_string().ends_with("(--cert, --key)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_tokens() {
    let authority = Authority::new();
    let users = vec![("user".to_owned(), PASSWORD.to_owned())];
    let behavior = TokenBehavior { users, ..TokenBehavior::default() };
    let tokens = Server::start(Tokens::signing(behavior, authority.identity("signer"))).await;
    let realm = format!("{}{}", tokens.url(), Tokens::PATH);
    let guard = Guard::Tokens { realm: &realm, service: "registry", authority: &authority };
    let Some(registry) = DockerRegistry::start(guard).await else { return };
    push_pull_mount_and_push_again(&registry, as_user(&registry.host(), "user", PASSWORD)).await;
    assert!(tokens.service.requests().len() <= 4, "{:?}", tokens.service.requests());
}

/// Pushes and pulls a layer over connections that are cut in the middle. `options` makes those for a host.
async fn resumes(registry: &DockerRegistry, options: impl Fn(&str) -> ClientOptions) {
    let layer = Blob::layer(Algorithm::Sha256, 32 << 20);
    let memory = MemoryStore::new();
    memory.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
    for (n, chunk_size) in [None, Some(5 << 20)].into_iter().enumerate() {
        let proxy = SlowProxy::start(registry.address(), Duration::ZERO).await;
        let options = options(&proxy.host()).with_chunk_size(chunk_size);
        let store = store_with(options, &proxy.host(), &format!("broken/{n}"));
        proxy.cut_upload(12 << 20);
        assert_eq!(transfer(&layer, &memory, &store).await.unwrap(), Stored::Stored);
        assert!(proxy.connections() > 1, "it was cut");
        proxy.cut_download(12 << 20);
        assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);
    }
    let log = registry.log();
    // Docker's registry does not know an upload whose request was broken off.
    for n in ["0", "1"] {
        let begin = format!("\"POST /v2/broken/{n}/");
        let begun = log.lines().filter(|line| line.contains(&begin) && line.contains("\" 202 ")).count();
        assert_eq!(begun, 2, "the upload began anew");
    }
    assert!(log.contains("http.response.status=206"), "the download went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_transfer_resumes_with_each_kind_of_access_control() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    resumes(&registry, |_| options()).await;
    let registry = DockerRegistry::start(Guard::Passwords(&[("user", PASSWORD)])).await.unwrap();
    resumes(&registry, |host| as_user(host, "user", PASSWORD)).await;
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let registry = DockerRegistry::start(Guard::Tls(&authority, false)).await.unwrap();
    resumes(&registry, |_| options().with_ca(&ca)).await;
    let users = vec![("user".to_owned(), PASSWORD.to_owned())];
    let behavior = TokenBehavior { users, ..TokenBehavior::default() };
    let tokens = Server::start(Tokens::signing(behavior, authority.identity("signer"))).await;
    let realm = format!("{}{}", tokens.url(), Tokens::PATH);
    let guard = Guard::Tokens { realm: &realm, service: "registry", authority: &authority };
    let registry = DockerRegistry::start(guard).await.unwrap();
    resumes(&registry, |host| as_user(host, "user", PASSWORD)).await;
}

/// The uploads whose bytes a registry keeps for a repository.
fn uploads(registry: &DockerRegistry, path: &str) -> usize {
    let repositories = registry.folder().join("data/docker/registry/v2/repositories");
    let uploads = std::fs::read_dir(repositories.join(path).join("_uploads"));
    uploads.unwrap().filter(|upload| upload.as_ref().unwrap().path().join("data").exists()).count()
}

/// In the middle of a stream, and between two chunks. Docker's registry refuses to end an upload whose request was broken
/// off: it has received more than the upload's address says. It removes such uploads after a week.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_is_ended() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    // Over TLS it speaks HTTP/2.
    for guard in [Guard::Open, Guard::Passwords(&[("user", PASSWORD)]), Guard::Tls(&authority, false)] {
        let Some(registry) = DockerRegistry::start(guard).await else { return };
        for chunk_size in [None, Some(100_000)] {
            let options = match guard {
                Guard::Tls(..) => options().with_ca(&ca),
                _ => as_user(&registry.host(), "user", PASSWORD),
            };
            let options = options.with_chunk_size(chunk_size);
            let client = Client::new(options).unwrap();
            let store = RegistryStore::new(&client, &format!("{}/{APP}", registry.host()).parse().unwrap());
            let stuck = Stuck(Blob::layer(Algorithm::Sha256, SIZE), 300_000);
            let mut pushing = Box::pin(transfer(&stuck.0, &stuck, &store));
            let pushed = tokio::time::timeout(Duration::from_secs(2), &mut pushing).await;
            assert!(pushed.is_err(), "it is stuck");
            assert_eq!(uploads(&registry, APP), 1, "{guard:?} {chunk_size:?}");
            drop(pushing);
            client.settle(Duration::from_secs(10)).await;
            assert_eq!(uploads(&registry, APP), 0, "{guard:?} {chunk_size:?}");
        }
    }
}

/// From the records of a build to a cache in a registry, by library code only, and the cost of a second export.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_exports_straight_to_a_registry() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let build = MemoryStore::new();
    let layer_type = "application/vnd.oci.image.layer.v1.tar";
    let blobs = ["one", "two"].map(|text| build.insert(MediaType::new(layer_type), text));
    let mut chains = CacheChains::new();
    let layer = chains.layers(&blobs).unwrap();
    let result = NewResult { created_at: Timestamp::ZERO, layer };
    chains.add(&"sha256:step".into(), &[], &[result]).unwrap();
    let store = store_with(options(), &registry.host(), APP).for_push();
    let name = Name::Tag("cache".to_owned());
    let to = Destination::new(&store, &name);
    let exported = export(&chains, &build, &to, &Job::default()).await.unwrap();
    assert_eq!((exported.blobs.stored.blobs, exported.blobs.already_present.blobs), (3, 0));
    assert_eq!(store.resolve(&name).await.unwrap().descriptor.digest, exported.manifest.unwrap().digest);
    let again = export(&chains, &build, &to, &Job::default()).await.unwrap();
    assert_eq!((again.blobs.stored.blobs, again.blobs.already_present.blobs), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_another_repository_is_mounted() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let client = Client::new(options()).unwrap();
    let store =
        |path: &str| RegistryStore::new(&client, &format!("{}/{path}", registry.host()).parse().unwrap());
    let (one, two) = (store("one"), store("two").for_push());
    let layer = Blob::layer(Algorithm::Sha256, 300_000);
    one.put(&layer.descriptor, &layer.source()).await.unwrap();
    let stored = transfer(&layer, &one, &two).await.unwrap();
    assert_eq!(stored, Stored::Mounted);
    let stored = transfer(&layer, &one, &two).await.unwrap();
    assert_eq!(stored, Stored::AlreadyPresent);
    // The mount of a blob that the origin lacks is declined, and the session is used.
    let other = Blob::layer(Algorithm::Sha256, 300_001);
    let memory = MemoryStore::new();
    memory.insert(MediaType::default(), other.bytes.clone());
    let lying = Elsewhere(memory, one);
    let stored = transfer(&other, &lying, &two).await.unwrap();
    assert_eq!(stored, Stored::Stored);
    assert_eq!(two.info(&other.descriptor).await.unwrap().size, 300_001);
}
