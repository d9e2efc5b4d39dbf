//! Faults during reads.

use std::time::{Duration, Instant, SystemTime};

use cache_conformance::Store;
use cache_conformance::{Blob, assert_conforms};
use cache_ingest::{
    Error, ErrorKind, Job, MemoryStore, Name, Provider, ProviderExt, Publisher, Resolver, RetryBudget,
    Standing, Step, copy,
};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};
use std::sync::atomic::{AtomicU32, Ordering};
use test_registries::{Answer, Authority, Behavior, Deletion, Fault, On, Registry, Server, UploadLocation};

use crate::scene::{
    APP, PASSWORD, SIZE, app, as_user, assert_clear, copying, options, options_for, policy, pull, scripted,
    store_with,
};

fn layer() -> Blob {
    Blob::layer(Algorithm::Sha256, SIZE)
}

async fn with_layer() -> (Server<Registry>, Blob) {
    let (server, layer) = (scripted().await, layer());
    server.service.content.insert_blob(APP, layer.bytes.clone());
    (server, layer)
}

/// Reads a layer in spite of a fault. Returns the number of requests, and of bytes that the registry sent.
async fn survives(on: On, fault: Fault) -> (usize, u64) {
    let (server, layer) = with_layer().await;
    let shown = format!("{on:?} {fault:?}");
    let store = store_with(options_for(&fault), &server.host(), APP);
    server.fault(on, fault);
    let read = pull(&layer, &store).await;
    assert_eq!(read.unwrap_or_else(|error| panic!("{shown}: {error}")), layer.bytes, "{shown}");
    let asked = server.seen_with("GET", "/blobs/");
    (asked.len(), asked.iter().map(|seen| seen.sent).sum())
}

/// Fails to read a layer. Returns the number of requests, of bytes that the registry sent, and the error.
async fn fails(on: On, fault: Fault, kind: ErrorKind) -> (usize, u64, String) {
    let (server, layer) = with_layer().await;
    let shown = format!("{on:?} {fault:?}");
    let store = store_with(options_for(&fault), &server.host(), APP);
    server.fault(on, fault);
    let error = pull(&layer, &store).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{shown}: {error}");
    assert_clear(&error);
    let asked = server.seen_with("GET", "/blobs/");
    (asked.len(), asked.iter().map(|seen| seen.sent).sum(), error.to_string())
}

fn get() -> On {
    On::new("GET", "/blobs/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_survives_a_cut_connection_in_every_phase() {
    for fault in [Fault::CutBeforeStatus, Fault::LoseAnswer, Fault::CutInHeaders, Fault::Silence] {
        assert_eq!(survives(get().times(2), fault).await.0, 3);
    }
    for fault in [Fault::CutBody(100_000), Fault::StallBody(100_000)] {
        let (requests, sent) = survives(get(), fault.clone()).await;
        assert_eq!((requests, sent), (2, u64::from(SIZE)), "{fault:?}: each byte is sent once");
    }
    let (requests, sent) = survives(get().always(), Fault::CutBody(100_000)).await;
    assert_eq!((requests, sent), (7, u64::from(SIZE)), "progress restores the retries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_transient_answers_is_survived_and_an_endless_one_is_an_error() {
    for status in [408, 425, 429, 500, 502, 503, 504, 520] {
        assert_eq!(survives(get().times(3), Fault::status(status)).await.0, 4, "{status}");
        // A limit on the rate of requests is waited for, for minutes.
        if status == 429 {
            continue;
        }
        let (requests, _, text) = fails(get().always(), Fault::status(status), ErrorKind::Unavailable).await;
        assert_eq!(requests, 5, "{status}: retries do not multiply");
        assert!(text.contains(&status.to_string()), "{text}");
    }
    assert_eq!(fails(get().always(), Fault::CutBeforeStatus, ErrorKind::Unavailable).await.0, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_retried() {
    for (status, kind) in [
        (400, ErrorKind::Other),
        (401, ErrorKind::Denied),
        (403, ErrorKind::Denied),
        (404, ErrorKind::NotFound),
        (405, ErrorKind::Unsupported),
        (410, ErrorKind::NotFound),
    ] {
        let no = Fault::Answer(Answer::error(status, "ODD", "because"));
        let (requests, _, text) = fails(get().always(), no, kind).await;
        assert_eq!(requests, 1, "{status}");
        assert!(text.contains("ODD: because") && text.contains(APP), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_of_retry_after_is_kept() {
    let start = Instant::now();
    survives(get(), Fault::too_many("1")).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let start = Instant::now();
    // A date is exact to the second, so one to two seconds are left.
    survives(get(), Fault::too_many_until(SystemTime::now() + Duration::from_secs(2))).await;
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    let start = Instant::now();
    let (requests, _, text) = fails(get().always(), Fault::too_many("3600"), ErrorKind::Unavailable).await;
    assert!(requests == 1 && start.elapsed() < Duration::from_secs(2) && text.contains("3600"), "{text}");
}

/// A registry with a rate limit answers 429 to each of many concurrent requests, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_costs_no_retry() {
    let (server, layer) = with_layer().await;
    let retry_once = Job::default().with_retry(policy().with_retries(1)).with_budget(RetryBudget::new(1));
    let once = || options().with_job(retry_once.clone());
    server.fault(get().times(3), Fault::too_many("1"));
    let read = pull(&layer, &store_with(once(), &server.host(), APP)).await.unwrap();
    assert_eq!(read, layer.bytes);
    assert_eq!(server.seen_with("GET", "/blobs/").len(), 4);
    // The waits of an unhealthy registry do cost retries.
    server.heal();
    server.fault(get().always(), Fault::Answer(Answer::new(503).with("Retry-After", "1")));
    let store = store_with(once(), &server.host(), APP);
    assert_eq!(pull(&layer, &store).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(server.seen_with("GET", "/blobs/").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stays_wrong_is_an_error() {
    for fault in
        [Fault::FlipByte(5), Fault::FlipByte(SIZE as usize - 1), Fault::Shorten(1), Fault::Lengthen(1)]
    {
        survives(get(), fault.clone()).await;
        let (requests, ..) = fails(get().always(), fault.clone(), ErrorKind::Corrupt).await;
        assert!((2..=5).contains(&requests), "{fault:?}: {requests}");
    }
    // Bytes behind the stated length never become part of the body.
    survives(get().always(), Fault::Overrun(10)).await;
    survives(get().always(), Fault::Chunked).await;
    for length in [None, Some(1 << 30)] {
        let (_, sent, _) = fails(get().always(), Fault::Endless(length), ErrorKind::Corrupt).await;
        assert!(sent < 100 << 20, "{sent} bytes were taken of a blob of {SIZE}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickling_server_is_given_up() {
    let trickle = || Fault::Trickle(Duration::from_secs(1));
    survives(get(), trickle()).await;
    // Each byte is progress, so only the budget ends it.
    let (server, layer) = with_layer().await;
    server.fault(get().always(), trickle());
    let budget = RetryBudget::new(5);
    let copying = copying().with_budget(budget);
    let store = store_with(options_for(&trickle()).with_job(copying.clone()), &server.host(), APP);
    let to = MemoryStore::new();
    let error = copy(Step::Layer, &layer.descriptor, &store, &to, &copying).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_clear(&error);
    assert!(to.digests().is_empty());
    assert_eq!(server.seen_with("GET", "/blobs/").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_range_is_an_error() {
    let cut = |server: &Server<Registry>| server.fault(get(), Fault::CutBody(100_000));
    let rest = get().nth(2).always();
    let (server, layer) = with_layer().await;
    cut(&server);
    server.fault(rest.clone(), Fault::IgnoreRange);
    assert_eq!(pull(&layer, &app(&server)).await.unwrap(), layer.bytes, "all of it again");
    assert_eq!(server.seen_with("GET", "/blobs/")[1].header("range"), Some("bytes=100000-"));

    for (range, kind) in
        [("bytes 100001-699999/700000", ErrorKind::Corrupt), ("nonsense", ErrorKind::Corrupt)]
    {
        let (server, layer) = with_layer().await;
        cut(&server);
        server.fault(rest.clone(), Fault::Header("Content-Range", Some(range.to_owned())));
        let error = pull(&layer, &app(&server)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{range}: {error}");
        assert_clear(&error);
    }
    for fault in [Fault::FlipByte(0), Fault::Shorten(1), Fault::Lengthen(1)] {
        let (server, layer) = with_layer().await;
        cut(&server);
        server.fault(rest.clone(), fault.clone());
        let error = pull(&layer, &app(&server)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{fault:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_without_credentials_and_never_in_circles() {
    let (server, layer) = with_layer().await;
    let storage = server.sibling().await;
    let store = store_with(as_user(&server.host(), "user", PASSWORD), &server.host(), APP);
    server.service.behavior().blobs_elsewhere = Some(storage.url());
    // The storage shares the behavior, so the challenge is set as a fault of the registry only.
    server.fault(
        get(),
        Fault::Answer(Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", "Basic")),
    );
    storage.fault(get(), Fault::CutBody(100_000));
    assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);
    let asked = server.seen_with("GET", "/blobs/");
    assert!(asked.last().unwrap().header("authorization").is_some(), "the registry gets the credentials");
    let sent = storage.seen();
    assert_eq!(sent.len(), 2, "and the rest comes from the storage, too");
    assert!(sent.iter().all(|seen| seen.header("authorization").is_none()), "the storage is not");
    assert_eq!(sent[1].header("range"), Some("bytes=100000-"));
    let path = format!("/v2/{APP}/blobs/{}", layer.descriptor.digest);
    for location in [path.clone(), format!("{path}?again"), format!("http://127.0.0.1/{path}")] {
        let away = location.starts_with("http");
        let answer = Fault::Answer(Answer::redirect(307, location));
        let kind = if away { ErrorKind::Unavailable } else { ErrorKind::Other };
        let (requests, ..) = fails(On::any("/blobs/").always(), answer, kind).await;
        assert!(requests <= 10, "{requests}");
    }
    // After a link has expired, the registry gives a new one.
    let (server, layer) = with_layer().await;
    let storage = server.sibling().await;
    server.service.behavior().blobs_elsewhere = Some(storage.url());
    storage.fault(get().times(2), Fault::Answer(Answer::new(403).body("<Error>expired</Error>")));
    assert_eq!(pull(&layer, &app(&server)).await.unwrap(), layer.bytes);
    storage.fault(get().always(), Fault::status(403));
    assert_clear(&pull(&layer, &app(&server)).await.unwrap_err());
}

/// The links of object stores are signed for one method.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_is_found_without_head() {
    let (server, layer) = with_layer().await;
    let storage = server.sibling().await;
    storage.fault(On::new("HEAD", "").always(), Fault::status(403));
    let away = Answer::redirect(307, format!("{}/v2/{APP}/blobs/{}", storage.url(), layer.descriptor.digest));
    let without_length = Fault::Header("Content-Length", Some("0".to_owned()));
    for fault in [403, 405, 501].map(Fault::status).into_iter().chain([Fault::Answer(away), without_length]) {
        server.heal();
        server.fault(On::new("HEAD", "").always(), fault.clone());
        let info = app(&server).info(&layer.descriptor).await;
        assert_eq!(info.unwrap().size, u64::from(SIZE), "{fault:?}");
    }
    server.fault(On::new("GET", "").always(), Fault::status(404));
    assert_eq!(app(&server).info(&layer.descriptor).await.unwrap_err().kind(), ErrorKind::NotFound);
    let (server, empty) = (scripted().await, Blob::layer(Algorithm::Sha256, 0));
    server.service.content.insert_blob(APP, empty.bytes.clone());
    assert_eq!(app(&server).info(&empty.descriptor).await.unwrap().size, 0);
    assert_eq!(server.seen().len(), 1, "an empty blob has no other length");
}

/// The answer to a HEAD has no body, so the reason is in the answer to a GET.
#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_a_head_is_explained_by_the_registry() {
    let (server, layer) = with_layer().await;
    server.fault(On::any("/v2/").always(), Fault::Answer(Answer::error(403, "DENIED", "no, since")));
    let name = Name::Tag("v1".to_owned());
    let looked_up = app(&server).info(&layer.descriptor).await.map(|_| ());
    let published = app(&server).standing(&name, &layer.descriptor).await.map(|_| ());
    for refused in [looked_up, published] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("DENIED: no, since"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_tls_never_redirects_to_plain_http() {
    let (authority, layer, folder) = (Authority::new(), layer(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let server = Server::start_tls(Registry::default(), authority.server(false)).await;
    server.service.content.insert_blob(APP, layer.bytes.clone());
    let plain = server.sibling().await;
    let trusting = options().with_ca(ca);
    let store = store_with(trusting, &server.host(), APP);
    assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);
    server.service.behavior().blobs_elsewhere = Some(plain.url());
    assert_clear(&pull(&layer, &store).await.unwrap_err());
    assert!(plain.seen().is_empty());

    // An untrusted server gets no request, not even over plain HTTP.
    server.forget_seen();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new().pem()).unwrap();
    let wary = store_with(options().with_ca(other), &server.host(), APP);
    let error = pull(&layer, &wary).await.unwrap_err();
    assert!(
        error.to_string().contains("signed by no authority that this system trusts, nor by one in"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}

/// A manifest under `v1`.
async fn with_manifest() -> (Server<Registry>, Blob) {
    let (server, manifest) = (scripted().await, Blob::index("one"));
    let media_type = MediaType::OCI_INDEX;
    server.service.content.insert_manifest(APP, Some("v1"), media_type.as_str(), manifest.bytes.clone());
    (server, manifest)
}

async fn resolve_and_read(server: &Server<Registry>) -> Result<Descriptor, Error> {
    let store = app(server);
    let found = store.resolve(&Name::Tag("v1".to_owned())).await?.descriptor;
    store.read(&found, &Job::default()).await.map(|_| found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_a_gigabyte_is_too_large_before_it_is_read() {
    for (on, length) in [("GET", Some(1 << 30)), ("GET", None), ("", Some(1 << 30)), ("", None)] {
        let (server, _) = with_manifest().await;
        let at = if on.is_empty() { On::any("/manifests/") } else { On::new(on, "/manifests/") };
        server.fault(at.always(), Fault::Endless(length));
        let error = resolve_and_read(&server).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Corrupt), "{on} {length:?}: {error}");
        assert_clear(&error);
        let sent: u64 = server.seen().iter().map(|seen| seen.sent).sum();
        assert!(sent < 100 << 20, "{on} {length:?}: {sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_a_wrong_digest_is_an_error() {
    let (server, manifest) = with_manifest().await;
    for nothing in [None, Some(String::new()), Some(" ".to_owned())] {
        server.heal();
        server.fault(On::any("/manifests/").always(), Fault::Header("Docker-Content-Digest", nothing));
        assert_eq!(resolve_and_read(&server).await.unwrap().digest, manifest.descriptor.digest);
    }
    let name = Name::Tag("v1".to_owned());
    server.fault(On::new("HEAD", "").always(), Fault::Header("Content-Length", Some("0".to_owned())));
    assert_eq!(app(&server).standing(&name, &manifest.descriptor).await.unwrap(), Standing::Published);
    for wrong in [format!("sha256:{}", "0".repeat(64)), "sha256:00".to_owned(), "nonsense".to_owned()] {
        let (server, _) = with_manifest().await;
        let fault = Fault::Header("Docker-Content-Digest", Some(wrong.clone()));
        server.fault(On::any("/manifests/").always(), fault);
        assert_clear(&resolve_and_read(&server).await.unwrap_err());
    }
    for fault in [Fault::FlipByte(20), Fault::Shorten(1), Fault::Lengthen(1)] {
        let (server, _) = with_manifest().await;
        server.fault(On::new("GET", "/manifests/").always(), fault.clone());
        let error = resolve_and_read(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{fault:?}: {error}");
    }
    // A name that is a digest resolves to that digest only.
    let (server, _) = with_manifest().await;
    let asked: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let other = Answer::new(200).with("Content-Type", MediaType::OCI_INDEX.as_str()).body("{}");
    server.fault(On::any("/manifests/").always(), Fault::Answer(other));
    let error = app(&server).resolve(&Name::Digest(asked)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_listed_over_pages_that_have_to_end() {
    let server = scripted().await;
    for tag in ["a", "b", "c", "d", "e"] {
        server.service.content.insert_manifest(APP, Some(tag), MediaType::OCI_INDEX.as_str(), "{}");
    }
    server.service.behavior().page = Some(2);
    assert_eq!(app(&server).tags().await.unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(server.seen().len(), 3);
    server.fault(On::any("/tags/").nth(2), Fault::CutBody(5));
    assert_eq!(app(&server).tags().await.unwrap().len(), 5, "a page that breaks is read again");
    server.heal();
    let round = format!("</v2/{APP}/tags/list?n=1000>; rel=\"next\"");
    let long = format!(r#"{{"tags": "{}"}}"#, "a".repeat(100_000));
    server.fault(On::any("/tags/"), Fault::Answer(Answer::new(200).body(long)));
    let error = app(&server).tags().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.to_string().len() < 500, "{error}");
    for link in [round, "<http://127.0.0.1:1/v2/x/tags/list>; rel=\"next\"".to_owned()] {
        server.heal();
        server.fault(On::any("/tags/").always(), Fault::Header("Link", Some(link)));
        let error = app(&server).tags().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_clear(&error);
    }
}

/// The laws of stores hold against a registry that behaves differently from Docker's.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_obeys_the_laws_against_the_scripted_registry() {
    let all = [
        (UploadLocation::Absolute, None, Deletion::TagsAndManifests, false),
        (UploadLocation::Relative, Some(50_001), Deletion::Manifests, true),
        (UploadLocation::Query, Some(50_001), Deletion::Nothing, true),
    ];
    for (locations, chunk_size, deletion, lists_referrers) in all {
        let behavior = Behavior { locations, deletion, lists_referrers, ..Behavior::default() };
        let server = Server::start(Registry::new(behavior)).await;
        let made = AtomicU32::new(0);
        let fresh = || async {
            let path = format!("law/{}", made.fetch_add(1, Ordering::Relaxed));
            let store = store_with(options().with_chunk_size(chunk_size), &server.host(), &path);
            let unreachable = store_with(options(), "127.0.0.1:1", "app");
            let complete = Store::complete(store.clone()).with_lister(store.clone());
            let complete = complete.with_remover(store.clone()).with_referrers(store);
            Ok::<_, Error>(complete.with_unreachable(unreachable).with_sha512())
        };
        assert_conforms(&fresh).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_blob_is_known_without_reading_it() {
    let (server, layer) = with_layer().await;
    assert_eq!(app(&server).info(&layer.descriptor).await.unwrap().size, u64::from(SIZE));
    assert!(server.seen().iter().all(|seen| seen.method == "HEAD"));
}

#[test]
fn outside_of_a_runtime_a_request_is_an_error() {
    let store = store_with(options(), "registry.invalid", APP);
    let mut resolving = std::pin::pin!(store.resolve(&Name::Unspecified));
    let polled = resolving.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    let std::task::Poll::Ready(Err(error)) = polled else { panic!("it goes on: {polled:?}") };
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().ends_with("there is no Tokio runtime: call it within one"), "{error}");
}
