//! Faults while a cache is written.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cache_conformance::{Blob, Fault as Flaw, Faulty};
use cache_export::{Destination, export};
use cache_ingest::{
    ErrorKind, Event, Expect, Ingester, MemoryStore, Name, Provider, Publisher, Standing, Step, Stored, copy,
};
use cache_model::{Algorithm, CacheChains, MediaType, NewResult, Timestamp};
use cache_registry::{Client, RegistryStore};
use futures_util::future::join_all;
use test_registries::{Answer, Fault, On, Registry, Server, UploadLocation};

use crate::scene::{
    APP, PASSWORD, SIZE, Stuck, app, assert_clear, copying, options, options_for, scripted, store_with,
    transfer,
};

fn layer() -> Blob {
    Blob::layer(Algorithm::Sha256, SIZE)
}

/// A place from which a blob is pushed.
fn memory(blob: &Blob) -> MemoryStore {
    let memory = MemoryStore::new();
    memory.insert(blob.descriptor.media_type.clone(), blob.bytes.clone());
    memory
}

/// How blobs are sent: as a stream, or in chunks.
fn ways() -> [Option<u64>; 2] {
    [None, Some(100_000)]
}

/// Pushes a layer in spite of a fault, as a stream or in chunks. Returns the requests.
async fn survives(chunk_size: Option<u64>, on: On, fault: Fault) -> Server<Registry> {
    let (server, layer) = (scripted().await, layer());
    let shown = format!("{chunk_size:?} {on:?} {fault:?}");
    let options = options_for(&fault).with_chunk_size(chunk_size);
    let store = store_with(options, &server.host(), APP);
    server.fault(on, fault);
    let outcome = transfer(&layer, &memory(&layer), &store).await;
    assert!(outcome.is_ok(), "{shown}: {outcome:?}");
    let there = server.service.content.blob(APP, &layer.descriptor.digest.to_string());
    assert_eq!(there.unwrap(), layer.bytes, "{shown}");
    server
}

async fn fails(chunk_size: Option<u64>, on: On, fault: Fault, kind: ErrorKind) -> (Server<Registry>, String) {
    let (server, layer) = (scripted().await, layer());
    let shown = format!("{chunk_size:?} {on:?} {fault:?}");
    let options = options_for(&fault).with_chunk_size(chunk_size);
    let store = store_with(options, &server.host(), APP);
    server.fault(on, fault);
    let error = transfer(&layer, &memory(&layer), &store).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{shown}: {error}");
    assert_clear(&error);
    (server, error.to_string())
}

fn received(server: &Server<Registry>) -> usize {
    server.seen().iter().map(|seen| seen.received).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_sent_once_in_the_fewest_requests() {
    let server = survives(None, On::any("none"), Fault::Silence).await;
    let methods: Vec<String> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "POST", "PATCH", "PUT"]);
    // As `docker push` streams it.
    let streamed = &server.seen_with("PATCH", "")[0];
    let [length, range, coding] =
        ["Content-Length", "Content-Range", "Transfer-Encoding"].map(|name| streamed.header(name));
    assert_eq!((length, range, coding, streamed.received), (None, None, Some("chunked"), SIZE as usize));
    let (server, small) = (scripted().await, Blob::layer(Algorithm::Sha256, 1000));
    transfer(&small, &memory(&small), &app(&server)).await.unwrap();
    let methods: Vec<String> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "POST", "PUT"]);
    let server = survives(Some(100_000), On::any("none"), Fault::Silence).await;
    let chunks = server.seen_with("PATCH", "");
    assert!(chunks.iter().all(|seen| seen.header("Content-Length").is_some()), "{chunks:?}");
    assert_eq!((chunks.len(), chunks[6].header("Content-Range")), (7, Some("600000-699999")));
    assert_eq!(received(&server), SIZE as usize);
    let layer = layer();
    server.forget_seen();
    let again = transfer(&layer, &memory(&layer), &app(&server)).await.unwrap();
    assert_eq!((again, server.seen().len()), (Stored::AlreadyPresent, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_survives_cut_connections_and_transient_answers_in_every_phase() {
    for chunk_size in ways() {
        for method in ["HEAD", "POST", "PUT", "PATCH"] {
            let on = || On::new(method, "/blobs/");
            for fault in [
                Fault::CutBeforeStatus,
                Fault::LoseAnswer,
                Fault::CutInHeaders,
                Fault::status(503),
                Fault::status(429),
                Fault::status(408),
                Fault::AnswerEarly(Answer::new(503)),
            ] {
                survives(chunk_size, on(), fault.clone()).await;
                survives(chunk_size, on().nth(2).times(2), fault).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_continues_from_the_offset_of_the_registry() {
    for chunk_size in [None, Some(200_000)] {
        let server = survives(chunk_size, On::new("PATCH", ""), Fault::CutRequestBody(150_000)).await;
        assert_eq!(received(&server), SIZE as usize, "{chunk_size:?}: each byte is taken once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_registry_is_given_up() {
    let start = Instant::now();
    fails(None, On::new("POST", "").always(), Fault::Silence, ErrorKind::Unavailable).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let (server, _) =
        fails(None, On::new("POST", "").always(), Fault::status(503), ErrorKind::Unavailable).await;
    assert_eq!(server.seen_with("POST", "").len(), 5, "retries do not multiply");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_gives_its_reason_and_is_final() {
    for (status, code, kind) in [
        (400, "DIGEST_INVALID", ErrorKind::Corrupt),
        (403, "DENIED", ErrorKind::Denied),
        (404, "NAME_UNKNOWN", ErrorKind::NotFound),
        (413, "SIZE_INVALID", ErrorKind::TooLarge),
        (405, "UNSUPPORTED", ErrorKind::Unsupported),
    ] {
        let no = || Answer::error(status, code, "no, since");
        let (server, text) = fails(None, On::new("POST", "").always(), Fault::Answer(no()), kind).await;
        assert!(text.contains(&format!("{code}: no, since")) && text.contains(APP), "{text}");
        if kind != ErrorKind::Corrupt {
            assert_eq!(server.seen_with("POST", "").len(), 1, "{code}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_too_large_for_one_request_may_be_sent_in_chunks() {
    let no = Fault::Answer(Answer::new(413).body("<html>Request Entity Too Large</html>"));
    let (_, text) = fails(None, On::new("PATCH", "").always(), no.clone(), ErrorKind::TooLarge).await;
    assert!(text.ends_with("takes only smaller requests: --chunk-size"), "{text}");
    let without_length = Fault::Answer(Answer::new(411));
    let (_, text) = fails(None, On::new("PATCH", "").always(), without_length, ErrorKind::Other).await;
    assert!(text.ends_with("takes only requests that state their length: --chunk-size"), "{text}");
    let (server, manifest) = (scripted().await, Blob::new(MediaType::OCI_INDEX, "{}"));
    server.fault(On::new("PUT", "/manifests/"), no);
    let error = transfer(&manifest, &memory(&manifest), &app(&server)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::TooLarge && !error.to_string().contains("chunk"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_whole_body_is_sent_is_read_to_its_end() {
    let (server, layer) = (scripted().await, layer());
    let denied = Answer::error(403, "DENIED", "no, since");
    server.fault(On::new("PATCH", ""), Fault::AnswerEarly(denied));
    server.fault(On::new("PATCH", ""), Fault::Trickle(Duration::from_millis(1)));
    let error = transfer(&layer, &memory(&layer), &app(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("DENIED: no, since"), "{error}");
    assert_eq!((server.seen_with("PATCH", "").len(), server.seen_with("PUT", "").len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_chunk_is_smaller_than_the_registry_accepts() {
    for (least, pieces) in [("300000", 3), ("none", 7), ("1000000", 1)] {
        let on = On::new("POST", "");
        let header = Fault::Header("OCI-Chunk-Min-Length", Some(least.to_owned()));
        let server = survives(Some(100_000), on, header).await;
        assert_eq!(server.seen_with("PATCH", "").len(), pieces, "{least}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_registry_forgot_begins_anew() {
    for (chunk_size, method) in
        [(None, "PATCH"), (None, "PUT"), (Some(200_000), "PATCH"), (Some(200_000), "PUT")]
    {
        let unknown = Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        let server = survives(chunk_size, On::new(method, ""), Fault::Answer(unknown)).await;
        assert_eq!(server.seen_with("POST", "").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_to_another_host_carries_no_credentials() {
    for chunk_size in ways() {
        let (server, layer) = (scripted().await, layer());
        let other = server.sibling().await;
        let all = [UploadLocation::Relative, UploadLocation::Query, UploadLocation::Elsewhere(other.url())];
        for (n, locations) in all.into_iter().enumerate() {
            server.service.behavior().locations = locations;
            let challenge =
                Answer::error(401, "UNAUTHORIZED", "").with("WWW-Authenticate", "Basic realm=\"r\"");
            server.heal();
            server.fault(On::new("HEAD", ""), Fault::Answer(challenge));
            let path = format!("app/{n}");
            let known = crate::scene::as_user(&server.host(), "user", PASSWORD);
            let store = store_with(known.with_chunk_size(chunk_size), &server.host(), &path);
            transfer(&layer, &memory(&layer), &store).await.unwrap();
            assert!(server.service.content.blob(&path, &layer.descriptor.digest.to_string()).is_some());
        }
        assert!(server.seen_with("POST", "").iter().all(|seen| seen.header("authorization").is_some()));
        assert!(!other.seen().is_empty());
        assert!(other.seen().iter().all(|seen| seen.header("authorization").is_none()));
    }
    let nowhere = Fault::Header("Location", None);
    fails(None, On::new("POST", "").always(), nowhere, ErrorKind::Other).await;
    let odd = Fault::Header("Location", Some("ftp://127.0.0.1/x".to_owned()));
    fails(None, On::new("POST", "").always(), odd, ErrorKind::Other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_unknown_state_begins_anew() {
    for chunk_size in ways() {
        let (server, layer) = (scripted().await, layer());
        server.fault(On::new("PATCH", ""), Fault::status(502));
        server.fault(On::new("GET", "/uploads/").always(), Fault::status(500));
        let store = store_with(options().with_chunk_size(chunk_size), &server.host(), APP);
        transfer(&layer, &memory(&layer), &store).await.unwrap();
        assert_eq!(server.seen_with("POST", "").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_another_host_refuses_gets_a_new_address() {
    let expired = || Answer::new(403).body("<Error><Code>AccessDenied</Code></Error>");
    for (chunk_size, method) in
        [(None, "PATCH"), (None, "PUT"), (Some(200_000), "PATCH"), (Some(200_000), "PUT")]
    {
        let (server, layer) = (scripted().await, layer());
        let other = server.sibling().await;
        server.service.behavior().locations = UploadLocation::Elsewhere(other.url());
        let store = store_with(options().with_chunk_size(chunk_size), &server.host(), APP);
        other.fault(On::new(method, ""), Fault::Answer(expired()));
        transfer(&layer, &memory(&layer), &store).await.unwrap();
        assert_eq!(server.seen_with("POST", "").len(), 2, "{method}");

        other.fault(On::new(method, "").always(), Fault::Answer(expired()));
        let next = Blob::layer(Algorithm::Sha256, SIZE + 1);
        let error = transfer(&next, &memory(&next), &store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.to_string().contains("127.0.0.1, to which the registry redirects, answers 403"),
            "{error}"
        );
        assert!(!error.to_string().contains("docker login"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_looked_up_if_the_registry_does_not_confirm_it() {
    let other = Some(format!("sha256:{}", "0".repeat(64)));
    for chunk_size in ways() {
        let put = || On::new("PUT", "").always();
        let server = survives(chunk_size, put(), Fault::Header("Docker-Content-Digest", other.clone())).await;
        assert_eq!(server.seen().last().unwrap().method, "HEAD");
        fails(chunk_size, put(), Fault::Answer(Answer::new(202)), ErrorKind::Other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_took_less_than_it_was_sent_gets_the_rest() {
    let refused = Answer::error(416, "RANGE_INVALID", "").with("Range", "0-0");
    survives(Some(200_000), On::new("PATCH", "").nth(2), Fault::Answer(refused)).await;
}

/// Registries that have stored a chunk state wrong ranges: that of the first chunk, of the last, one byte too many.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_was_accepted_is_there_whatever_range_is_stated() {
    for wrong in ["0-9", "0-199999", "0-200000", "0-99999999", "nonsense"] {
        let range = Fault::Header("Range", Some(wrong.to_owned()));
        let server = survives(Some(200_000), On::new("PATCH", "").always(), range).await;
        let asked = server.seen_with("GET", "/uploads/").len();
        assert_eq!((server.seen_with("PATCH", "").len(), asked), (4, 0), "{wrong}");
        assert_eq!(received(&server), SIZE as usize, "{wrong}: each byte is sent once");
    }
}

/// After a failure the range says where to go on, but never beyond the bytes that were sent.
#[tokio::test(flavor = "multi_thread")]
async fn no_byte_is_skipped_because_of_a_range() {
    let (server, layer) = (scripted().await, layer());
    server.fault(On::new("PATCH", "").nth(4), Fault::LoseAnswer);
    let beyond = Fault::Header("Range", Some(format!("0-{SIZE}")));
    server.fault(On::new("GET", "/uploads/"), beyond);
    let store = store_with(options().with_chunk_size(200_000), &server.host(), APP);
    assert_eq!(transfer(&layer, &memory(&layer), &store).await.unwrap(), Stored::Stored);
    assert_eq!((server.seen_with("POST", "").len(), received(&server)), (1, SIZE as usize));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_digest_in_an_answer_means_nothing() {
    let nothing = || Fault::Header("Docker-Content-Digest", Some(String::new()));
    for chunk_size in ways() {
        survives(chunk_size, On::new("PUT", "").always(), nothing()).await;
    }
    let (server, index) = (scripted().await, Blob::index("one"));
    server.fault(On::any("").always(), nothing());
    for expect in [Expect::Any, Expect::Digest(index.descriptor.digest)] {
        let name = Name::Tag("v1".to_owned());
        app(&server).publish(&name, &index.descriptor, index.bytes.clone(), expect).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_the_blob_is_never_stored() {
    for chunk_size in ways() {
        for flaw in [
            Flaw::EndsAt(500_000),
            Flaw::EndsAt(u64::from(SIZE) - 1),
            Flaw::GoesOn(1),
            Flaw::Differs(3),
            Flaw::Differs(u64::from(SIZE) - 1),
        ] {
            let (server, layer) = (scripted().await, layer());
            let store = store_with(options().with_chunk_size(chunk_size), &server.host(), APP);
            let source = Faulty::new(&layer, flaw).in_chunks_of(60_000);
            let error = transfer(&layer, &source, &store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(server.service.content.blobs(APP).is_empty());
        }
    }
}

/// Of large blobs some are finished before others begin, and an upload that is given up is ended.
#[tokio::test(flavor = "multi_thread")]
async fn few_large_blobs_are_uploaded_at_once_and_none_is_left_behind() {
    for (size, at_once) in [(33 << 20, 4), (SIZE, 6)] {
        let server = scripted().await;
        let (client, store) = pushing(&server, None);
        let blobs: Vec<Stuck> =
            (0..6).map(|n| Stuck(Blob::layer(Algorithm::Sha256, size + n), 1000)).collect();
        let job = copying();
        let uploads = blobs.iter().map(|blob| copy(Step::Layer, &blob.0.descriptor, blob, &store, &job));
        let mut uploads = Box::pin(join_all(uploads));
        let pushed = tokio::time::timeout(Duration::from_secs(3), &mut uploads).await;
        assert!(pushed.is_err(), "they are stuck");
        assert_eq!(
            (server.seen_with("POST", "").len(), server.service.content.uploads()),
            (at_once, at_once)
        );
        drop(uploads);
        client.settle(Duration::from_secs(10)).await;
        assert_eq!((server.seen_with("DELETE", "").len(), server.service.content.uploads()), (at_once, 0));
    }
}

/// A source that fails ends the upload, too; one of an unknown state is ended before the blob is sent anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upload_is_ended() {
    for (chunk_size, broken) in [(None, 1), (Some(100_000), 3)] {
        let (server, layer) = (scripted().await, layer());
        let (client, store) = pushing(&server, chunk_size);
        let source = Faulty::new(&layer, Flaw::Differs(3)).in_chunks_of(60_000);
        assert_eq!(transfer(&layer, &source, &store).await.unwrap_err().kind(), ErrorKind::Corrupt);
        client.settle(Duration::from_secs(10)).await;
        assert_eq!(server.service.content.uploads(), 0);
        server.fault(On::new("PATCH", "").nth(broken), Fault::status(502));
        server.fault(On::new("GET", "/uploads/").always(), Fault::status(500));
        assert_eq!(transfer(&layer, &memory(&layer), &store).await.unwrap(), Stored::Stored);
        client.settle(Duration::from_secs(10)).await;
        assert_eq!(server.service.content.uploads(), 0);
    }
}

/// A client for a repository of a registry.
fn pushing(server: &Server<Registry>, chunk_size: Option<u64>) -> (Client, RegistryStore) {
    let client = Client::new(options().with_chunk_size(chunk_size)).unwrap();
    let store = RegistryStore::new(&client, &format!("{}/{APP}", server.host()).parse().unwrap());
    (client, store)
}

/// Begins to push a blob, gives it up, and waits for the client.
async fn give_up(blob: &Blob, source: &dyn Provider, pushing: &(Client, RegistryStore)) {
    let pushed = tokio::time::timeout(Duration::from_secs(1), transfer(blob, source, &pushing.1)).await;
    assert!(pushed.is_err(), "it is not done yet");
    pushing.0.settle(Duration::from_secs(10)).await;
}

/// Its request ends in good order, so that the registry knows all that it has received, and ends the upload then.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_given_up_ends_where_it_is() {
    let (server, stuck) = (scripted().await, Stuck(layer(), 300_000));
    give_up(&stuck.0, &stuck, &pushing(&server, None)).await;
    let streamed = &server.seen_with("PATCH", "")[0];
    assert_eq!((streamed.received, streamed.status), (300_000, Some(202)));
    let ended = &server.seen_with("DELETE", "")[0];
    assert_eq!((ended.status, server.service.content.uploads()), (Some(204), 0));
    assert!(server.seen_with("PUT", "").is_empty(), "nothing finishes it");
}

/// A registry that stores the blob just then keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_stored_after_it_was_given_up_stays() {
    for blob in [layer(), Blob::layer(Algorithm::Sha256, 1000)] {
        let server = scripted().await;
        server.fault(On::new("PUT", ""), Fault::Delay(Duration::from_millis(1500)));
        give_up(&blob, &memory(&blob), &pushing(&server, None)).await;
        let content = &server.service.content;
        assert_eq!((content.blobs(APP).len(), content.uploads()), (1, 0));
        assert!(server.seen_with("DELETE", "").is_empty());
    }
}

/// Without an answer, the request is broken off, and the upload ended at its last known address.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_at_a_silent_registry_is_ended_soon() {
    let (server, stuck) = (scripted().await, Stuck(layer(), 300_000));
    server.fault(On::new("PATCH", ""), Fault::Silence);
    let start = Instant::now();
    give_up(&stuck.0, &stuck, &pushing(&server, None)).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!((server.seen_with("DELETE", "").len(), server.service.content.uploads()), (1, 0));
}

/// Another registry gets nothing, as it would lack the credentials for the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_redirected_to_another_host_ends_before_the_first_byte() {
    for status in [307, 308] {
        let (server, layer, index) = (scripted().await, layer(), Blob::index("one"));
        let other = server.sibling().await;
        let to = |path: &str| Fault::Answer(Answer::redirect(status, format!("{}{path}", other.url())));
        server.fault(On::new("POST", "").always(), to(&format!("/v2/{APP}/blobs/uploads/")));
        server.fault(On::new("PUT", "/manifests/").always(), to(&format!("/v2/{APP}/manifests/v1")));
        let pushed = transfer(&layer, &memory(&layer), &app(&server)).await.map(|_| ());
        let name = Name::Tag("v1".to_owned());
        let published =
            app(&server).publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await;
        for refused in [pushed, published] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            let host = other.host();
            let says = format!(
                "to another host, {host}, which must not receive it; if that is the registry to write to"
            );
            assert!(error.to_string().contains(&says), "{error}");
        }
        assert_eq!((received(&server), other.seen().len()), (index.bytes.len(), 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_costs_one_request_and_a_declined_one_is_the_upload() {
    let (server, layer) = (scripted().await, layer());
    server.service.content.insert_blob("from", layer.bytes.clone());
    let client = Client::new(options()).unwrap();
    let store =
        |path: &str| RegistryStore::new(&client, &format!("{}/{path}", server.host()).parse().unwrap());
    assert_eq!(transfer(&layer, &store("from"), &store("one")).await.unwrap(), Stored::Mounted);
    let asked: Vec<String> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(
        (asked, received(&server)),
        (vec!["HEAD".to_owned(), "POST".to_owned()], 0),
        "nothing is read"
    );
    server.service.behavior().declines_mounts = true;
    server.forget_seen();
    assert_eq!(transfer(&layer, &store("from"), &store("two")).await.unwrap(), Stored::Stored);
    assert_eq!(server.seen_with("POST", "").len(), 1, "the session of the answer is used");
    assert_eq!(server.service.content.uploads(), 0, "and none is left");
    for refusal in [Answer::error(405, "UNSUPPORTED", ""), Answer::error(404, "NAME_UNKNOWN", "")] {
        server.forget_seen();
        server.fault(On::new("POST", "mount="), Fault::Answer(refusal.clone()));
        let path = format!("three/{}", refusal.status);
        assert_eq!(transfer(&layer, &store("from"), &store(&path)).await.unwrap(), Stored::Stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_arrives_byte_for_byte_through_faults() {
    let name = Name::Tag("v1".to_owned());
    for fault in [
        Fault::CutBeforeStatus,
        Fault::LoseAnswer,
        Fault::CutInHeaders,
        Fault::CutRequestBody(5),
        Fault::status(500),
        Fault::too_many("0"),
    ] {
        for expect in [Expect::Any, Expect::Absent] {
            let (server, index) = (scripted().await, Blob::index("one"));
            server.fault(On::new("PUT", "/manifests/"), fault.clone());
            let published = app(&server).publish(&name, &index.descriptor, index.bytes.clone(), expect).await;
            assert!(published.is_ok(), "{fault:?} {expect:?}: {published:?}");
            let (digest, media_type, bytes) = server.service.content.manifest(APP, "v1").unwrap();
            assert_eq!((digest, bytes), (index.descriptor.digest.to_string(), index.bytes));
            assert_eq!(media_type, MediaType::OCI_INDEX.as_str());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_refuses_the_index_form_says_which_form_to_take() {
    let (server, index) = (scripted().await, Blob::index("one"));
    server.service.behavior().refuses_indexes = true;
    let name = Name::Tag("v1".to_owned());
    let publish = app(&server).publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await;
    let error = publish.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("MANIFEST_INVALID") && error.to_string().contains("--form manifest"));
    assert_clear(&error);
    assert_eq!(server.seen_with("PUT", "").len(), 1);

    // Amazon's registry requires an image for each entry, and names no missing one. No blob is sent again for that.
    let images = Answer::error(400, "MANIFEST_BLOB_UNKNOWN", "Images with digests [x] do not exist");
    server.service.behavior().refuses_indexes = false;
    server.fault(On::new("PUT", "/manifests/"), Fault::Answer(images));
    let publish = app(&server).publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await;
    let error = publish.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("--form manifest"), "{error}");

    // Harbor answers that something is unknown. An unknown repository is a different error.
    server.service.behavior().refuses_indexes = false;
    for (code, is_form) in [("NOT_FOUND", true), ("NAME_UNKNOWN", false)] {
        server.fault(On::new("PUT", "/manifests/"), Fault::Answer(Answer::error(404, code, "artifact")));
        let publish = app(&server).publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await;
        let error = publish.unwrap_err();
        assert_eq!(error.to_string().contains("--form manifest"), is_form, "{error}");
    }
}

/// The registry names the blob that it lost before the manifest came. It is pushed, although HEAD would find it.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_the_registry_forgot_is_pushed_again() {
    let server = scripted().await;
    let store = app(&server);
    let (config, layer) = (Blob::new(MediaType::CACHE_CONFIG, "{}"), layer());
    let manifest = Blob::manifest(&config, std::slice::from_ref(&layer));
    for blob in [&config, &layer] {
        store.put(&blob.descriptor, &blob.source()).await.unwrap();
    }
    server.service.content.doom_blob(APP, &layer.descriptor.digest.to_string());
    let name = Name::Tag("v1".to_owned());
    let publish = || store.publish(&name, &manifest.descriptor, manifest.bytes.clone(), Expect::Any);
    assert_eq!(publish().await.unwrap_err().kind(), ErrorKind::Incomplete);
    server.service.content.insert_blob(APP, layer.bytes.clone());
    assert_eq!(store.put(&layer.descriptor, &layer.source()).await.unwrap(), Stored::Stored);
    assert_eq!(store.put(&config.descriptor, &config.source()).await.unwrap(), Stored::AlreadyPresent);
    publish().await.unwrap();
}

/// A blob that the registry has with other bytes is found and replaced by a client that hashes.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_is_sent_again_and_looked_at() {
    let (server, layer) = (scripted().await, layer());
    let hashing = || store_with(options().with_rehash(true), &server.host(), APP);
    let (content, digest) = (&server.service.content, layer.descriptor.digest.to_string());
    let push = async |store| transfer(&layer, &memory(&layer), &store).await;
    assert_eq!(push(hashing()).await.unwrap(), Stored::Stored);
    assert_eq!(push(hashing()).await.unwrap(), Stored::AlreadyPresent);
    let mut other = layer.bytes.to_vec();
    other[9] ^= 1;
    content.corrupt_blob(&digest, other.clone());
    assert_eq!(push(app(&server)).await.unwrap(), Stored::AlreadyPresent, "by the registry's word");
    assert_eq!(push(hashing()).await.unwrap(), Stored::Stored);
    assert_eq!(content.blob(APP, &digest).unwrap(), layer.bytes);
    // Another size shows without reading.
    content.corrupt_blob(&digest, other[..9].to_vec());
    assert_eq!(push(app(&server)).await.unwrap(), Stored::Stored);
    assert_eq!(content.blob(APP, &digest).unwrap(), layer.bytes);
    // A registry that keeps the wrong bytes.
    server.fault(On::new("GET", "/blobs/sha256").always(), Fault::FlipByte(5));
    let error = push(hashing()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().ends_with("remove the blob from its storage"), "{error}");
    assert_clear(&error);
    assert_eq!(server.seen_with("PUT", "").len(), 4, "it is sent once");
}

/// Either the registry or the network broke off, so the error advises no removal.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_cannot_be_read_is_sent_again_once_and_not_called_damaged() {
    let (server, layer) = (scripted().await, layer());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let job = copying().with_progress(move |event: &Event<'_>| {
        if let Event::Rehashing { descriptor } = event {
            hears.lock().unwrap().push(descriptor.digest);
        }
    });
    let hashing = store_with(options().with_rehash(true), &server.host(), APP);
    let push = async || copy(Step::Layer, &layer.descriptor, &memory(&layer), &hashing, &job).await;
    assert_eq!(push().await.unwrap(), Stored::Stored);
    assert!(heard.lock().unwrap().is_empty());
    server.fault(On::new("GET", "/blobs/sha256").times(2), Fault::CutBody(0));
    assert_eq!(push().await.unwrap(), Stored::Stored, "only the first copy of it was lost");
    assert_eq!(*heard.lock().unwrap(), [layer.descriptor.digest; 2], "each reading is reported");
    server.forget_seen();
    server.fault(On::new("GET", "/blobs/sha256").always(), Fault::CutBody(0));
    let error = push().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.to_string().contains("remove"), "{error}");
    assert_clear(&error);
    assert_eq!(server.seen_with("PUT", "").len(), 1, "it is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_is_published_again_by_a_client_that_hashes() {
    let (server, index) = (scripted().await, Blob::index("one"));
    let name = Name::Tag("v1".to_owned());
    let hashing = store_with(options().with_rehash(true), &server.host(), APP);
    let publish = || hashing.publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any);
    publish().await.unwrap();
    server.fault(On::new("GET", "/manifests/").always(), Fault::FlipByte(5));
    assert_eq!(
        app(&server).standing(&name, &index.descriptor).await.unwrap(),
        Standing::Published,
        "by the registry's word"
    );
    assert_ne!(hashing.standing(&name, &index.descriptor).await.unwrap(), Standing::Published);
    assert_eq!(publish().await.unwrap_err().kind(), ErrorKind::Corrupt, "and stays damaged");
    server.heal();
    publish().await.unwrap();
    // The tag leads to other content, of which the registry states the digest rightly.
    server.fault(
        On::new("GET", &format!("/manifests/{}", index.descriptor.digest)).always(),
        Fault::FlipByte(5),
    );
    assert_eq!(publish().await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_changes_meanwhile_is_a_conflict() {
    let server = scripted().await;
    let (one, two, other) = (Blob::index("one"), Blob::index("two"), Blob::index("other"));
    let store = app(&server);
    let name = Name::Tag("v1".to_owned());
    let publish = async |blob: &Blob, expect| {
        store.publish(&name, &blob.descriptor, blob.bytes.clone(), expect).await.map_err(|error| error.kind())
    };
    publish(&one, Expect::Absent).await.unwrap();
    assert_eq!(publish(&two, Expect::Absent).await, Err(ErrorKind::Conflict));
    assert_eq!(publish(&two, Expect::Digest(other.descriptor.digest)).await, Err(ErrorKind::Conflict));
    // Someone else publishes right after.
    let told = other.descriptor.digest.to_string();
    server.fault(On::new("HEAD", "/manifests/").nth(2), Fault::Header("Docker-Content-Digest", Some(told)));
    assert_eq!(publish(&two, Expect::Digest(one.descriptor.digest)).await, Err(ErrorKind::Conflict));
}

/// An export to a registry that has lost a layer since the check: the layer is pushed again, once. If the registry does
/// not say which layer is missing, all are.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_pushes_lost_blobs_again_once() {
    for says_which in [true, false] {
        let server = scripted().await;
        let build = MemoryStore::new();
        let layer_type = "application/vnd.oci.image.layer.v1.tar";
        let blobs = ["one", "two"].map(|text| build.insert(MediaType::new(layer_type), text));
        let mut chains = CacheChains::new();
        let layer = chains.layers(&blobs).unwrap();
        let result = NewResult { created_at: Timestamp::ZERO, layer };
        chains.add(&"sha256:step".into(), &[], &[result]).unwrap();
        let store = app(&server);
        for (tag, sent) in [("one", 3), ("two", if says_which { 1 } else { 3 })] {
            if tag == "two" && says_which {
                server.service.content.doom_blob(APP, &blobs[1].digest.to_string());
            } else if tag == "two" {
                let unknown = Answer::new(400).body(r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#);
                server.fault(On::new("PUT", "/manifests/"), Fault::Answer(unknown));
            }
            server.forget_seen();
            let name = Name::Tag(tag.to_owned());
            let to = Destination::new(&store, &name);
            let exported = export(&chains, &build, &to, &copying()).await.unwrap();
            assert_eq!(exported.blobs.stored.blobs, sent, "{tag} {says_which}");
            assert_eq!(server.seen_with("PUT", "/uploads/").len() as u64, sent, "{tag} {says_which}");
            let there = server.service.content.manifest(APP, tag).unwrap();
            assert_eq!(there.0, exported.manifest.unwrap().digest.to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_the_registry_wrongly_claimed_is_not_mounted_either() {
    let (server, layer) = (scripted().await, layer());
    server.service.content.insert_blob("from", layer.bytes.clone());
    let client = Client::new(options()).unwrap();
    let store =
        |path: &str| RegistryStore::new(&client, &format!("{}/{path}", server.host()).parse().unwrap());
    let to = store(APP);
    let config = Blob::new(MediaType::CACHE_CONFIG, "{}");
    to.put(&config.descriptor, &config.source()).await.unwrap();
    let manifest = Blob::manifest(&config, std::slice::from_ref(&layer));
    let publish = async || {
        let name = Name::Tag("v1".to_owned());
        to.publish(&name, &manifest.descriptor, manifest.bytes.clone(), Expect::Any).await
    };
    assert_eq!(publish().await.unwrap_err().kind(), ErrorKind::Incomplete);
    assert_eq!(transfer(&layer, &store("from"), &to).await.unwrap(), Stored::Stored);
    publish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_wrongly_claimed_a_blob_is_not_trusted_after_a_lost_upload() {
    for (is_doubted, sent) in [(false, 1), (true, 2)] {
        let (server, layer) = (scripted().await, layer());
        let store = app(&server);
        if is_doubted {
            let config = Blob::new(MediaType::CACHE_CONFIG, "{}");
            store.put(&config.descriptor, &config.source()).await.unwrap();
            let manifest = Blob::manifest(&config, std::slice::from_ref(&layer));
            let name = Name::Tag("v1".to_owned());
            let publish =
                store.publish(&name, &manifest.descriptor, manifest.bytes.clone(), Expect::Any).await;
            assert_eq!(publish.unwrap_err().kind(), ErrorKind::Incomplete);
        }
        server.forget_seen();
        server.fault(On::new("PUT", "/uploads/"), Fault::LoseAnswer);
        assert_eq!(transfer(&layer, &memory(&layer), &store).await.unwrap(), Stored::Stored);
        assert_eq!(server.seen_with("PUT", "/uploads/").len(), sent, "doubted: {is_doubted}");
    }
}
