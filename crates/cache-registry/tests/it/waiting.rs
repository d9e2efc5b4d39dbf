//! How long a registry is waited for, how often it is asked again, and what is reported meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_conformance::Blob;
use cache_ingest::{
    Error, ErrorKind, Event, Expect, Job, MemoryStore, Name, Provider, Publisher, Resolver, RetryBudget,
    Stored,
};
use cache_model::{Algorithm, MediaType};
use cache_registry::{Client, ClientOptions, RegistryStore};
use futures_util::future::join_all;
use test_registries::{Answer, Fault, On};

use crate::scene::{APP, SIZE, copying, options, policy, pull, scripted, store_with, transfer};

/// Options whose job writes down its events of waiting and retrying.
fn listening(options: ClientOptions) -> (ClientOptions, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let job = options.job.clone().with_progress(move |event: &Event<'_>| {
        if matches!(event, Event::Waiting { .. } | Event::Retrying { .. }) {
            listener.lock().unwrap().push(event.to_string());
        }
    });
    (options.with_job(job), heard)
}

/// A registry may move the blob first, or check all that a manifest names, which takes long.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_an_upload_may_take_longer_than_others() {
    for (size, chunk_size) in [(SIZE, None), (SIZE, Some(100_000)), (1000, None), (1000, Some(300))] {
        let (server, layer) = (scripted().await, Blob::layer(Algorithm::Sha256, size));
        let options = options().with_chunk_size(chunk_size).with_stall(Duration::from_secs(1));
        server.fault(On::new("PUT", "digest="), Fault::Delay(Duration::from_secs(2)));
        server.fault(On::new("PATCH", ""), Fault::Delay(Duration::from_secs(2)));
        let store = store_with(options, &server.host(), APP);
        let memory = MemoryStore::new();
        memory.insert(layer.descriptor.media_type.clone(), layer.bytes.clone());
        assert_eq!(transfer(&layer, &memory, &store).await.unwrap(), Stored::Stored);
        let asked_after = server.seen_with("GET", "/uploads/").len();
        assert_eq!((server.seen_with("PUT", "").len(), asked_after), (1, 0), "{size} {chunk_size:?}");
    }
    let (server, index) = (scripted().await, Blob::index("one"));
    let store = store_with(options().with_stall(Duration::from_secs(1)), &server.host(), APP);
    server.fault(On::new("PUT", "/manifests/"), Fault::Delay(Duration::from_secs(2)));
    let name = Name::Tag("v1".to_owned());
    store.publish(&name, &index.descriptor, index.bytes.clone(), Expect::Any).await.unwrap();
    assert_eq!(server.seen_with("PUT", "/manifests/").len(), 1);
}

/// Some registries limit the rate of requests without saying for how long.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_without_a_time_costs_no_retry() {
    let (server, layer) = (scripted().await, Blob::layer(Algorithm::Sha256, SIZE));
    server.service.content.insert_blob(APP, layer.bytes.clone());
    let budget = RetryBudget::new(1);
    let once = Job::default().with_retry(policy().with_retries(1)).with_budget(budget.clone());
    let limit = Answer::error(429, "TOOMANYREQUESTS", "slow down");
    server.fault(On::new("GET", "/blobs/").times(50), Fault::Answer(limit));
    let store = store_with(options().with_job(once), &server.host(), APP);
    assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);
    assert_eq!((server.seen_with("GET", "/blobs/").len(), budget.left()), (51, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_registry_is_reported_once_until_it_answers() {
    let server = scripted().await;
    let (options, heard) = listening(options());
    let client = Client::new(options).unwrap();
    let app_at = |host: &str| RegistryStore::new(&client, &format!("{host}/{APP}").parse().unwrap());
    let (other, late) = (scripted().await, Fault::Delay(Duration::from_secs(6)));
    let (store, elsewhere) = (app_at(&server.host()), app_at(&other.host()));
    server.fault(On::any("/manifests/").times(2), late.clone());
    other.fault(On::any("/manifests/"), late.clone());
    let [one, two, three, four] = ["one", "two", "three", "four"].map(|tag| Name::Tag(tag.to_owned()));
    let answers = tokio::join!(store.resolve(&one), store.resolve(&two), elsewhere.resolve(&three));
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let line =
        |host: &str, tag: &str| format!("waiting for {host}, silent for 5 s: resolve {host}/{APP}:{tag}");
    let (here, there) = (server.host(), other.host());
    let mut lines = std::mem::take(&mut *heard.lock().unwrap());
    lines.sort();
    let of_two = lines.iter().filter(|text| [line(&here, "one"), line(&here, "two")].contains(text)).count();
    assert_eq!((of_two, lines.len()), (1, 2), "one for two requests: {lines:?}");
    assert!(lines.contains(&line(&there, "three")), "each host has its own: {lines:?}");

    // After an answer, the next silence is another one. A connection that breaks is no answer.
    server.fault(On::any("/manifests/").times(2), late);
    server.fault(On::any("/manifests/"), Fault::CutBeforeStatus);
    assert_eq!(store.resolve(&four).await.unwrap_err().kind(), ErrorKind::NotFound);
    let lines = heard.lock().unwrap().clone();
    let waiting = lines.iter().filter(|text| **text == line(&here, "four")).count();
    assert_eq!((waiting, lines.len()), (1, 2), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_stops_in_a_body_is_reported() {
    let (server, layer) = (scripted().await, Blob::layer(Algorithm::Sha256, SIZE));
    server.service.content.insert_blob(APP, layer.bytes.clone());
    let (options, heard) = listening(options().with_stall(Duration::from_secs(6)));
    let store = store_with(options, &server.host(), APP);
    server.fault(On::new("GET", "/blobs/"), Fault::StallBody(100_000));
    assert_eq!(pull(&layer, &store).await.unwrap(), layer.bytes);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.first().is_some_and(|line| line.contains("silent for 5 s: open 127.0.0.1")), "{heard:?}");
}

/// How often a blob's size is asked for at a host, and the error.
async fn tries(host: &str, retries: u32) -> (usize, Error) {
    let job = copying().with_retry(policy().with_retries(retries));
    let (options, heard) = listening(options().with_job(job));
    let blob = Blob::new(MediaType::CACHE_CONFIG, "{}");
    let error = store_with(options, host, APP).info(&blob.descriptor).await.unwrap_err();
    let retried = heard.lock().unwrap().len();
    (retried + 1, error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_tried_as_often_as_allowed_and_an_unknown_name_thrice() {
    for retries in [0, 1, 7] {
        let (tried, error) = tries("127.0.0.1:1", retries).await;
        assert_eq!((tried, error.kind()), (retries as usize + 1, ErrorKind::Unavailable), "{error}");
    }
    let (tried, error) = tries("registry.invalid", 7).await;
    assert_eq!((tried, error.kind()), (3, ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("check the name of the registry"), "{error}");
}

/// Otherwise each would wait in turn for a registry that does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_for_the_scheme_of_a_registry_share_the_failure_to_find_it() {
    let server = scripted().await;
    server.fault(On::any("").always(), Fault::Silence);
    let options = options().with_insecure(true).with_stall(Duration::from_millis(400));
    let store = store_with(options.with_job(Job::without_retries()), &server.host(), APP);
    let names: Vec<Name> = (0..8).map(|n| Name::Tag(format!("tag{n}"))).collect();
    let answers = join_all(names.iter().map(|name| store.resolve(name))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(&format!("tag{n}: ")), "{error}");
    }
    assert_eq!(server.seen_with("GET", "/v2/").len(), 1);
}
