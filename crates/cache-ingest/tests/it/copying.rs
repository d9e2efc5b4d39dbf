//! The copy: retries, sides, events, one blob a digest, and nothing left behind by a copy that was dropped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ingest::{
    Error, ErrorKind, Event, Job, MemoryStore, Mismatch, Provider, RetryBudget, Side, Step, Stored, Summary,
    Tally, copy, copy_all, copy_bytes,
};
use cache_model::{Descriptor, MediaType};

use crate::faults::{Fault, Faulty, Heard, describe, job_hearing, mismatch, noise, options};

#[tokio::test]
async fn a_blob_that_comes_short_once_is_tried_again_and_its_steps_are_told() {
    let bytes = noise(50, 1);
    let (provider, store, heard) =
        (Faulty::new(bytes.clone(), [Fault::End(20)]), MemoryStore::new(), Heard::default());
    let stored = copy(Step::Layer, &describe(&bytes), &provider, &store, &job_hearing(&options(2), &heard))
        .await
        .unwrap();
    assert_eq!(stored, Stored::Stored);
    assert_eq!(store.blob(&describe(&bytes).digest).unwrap(), bytes);
    assert_eq!(heard.steps(), ["started writing layer", "attempt 2", "finished writing layer: Stored"]);
    let retried = heard.lines().iter().position(|line| line == "attempt 2").unwrap();
    let again: u64 = heard.lines()[retried..]
        .iter()
        .filter_map(|l| l.strip_prefix("transferred ")?.parse::<u64>().ok())
        .sum();
    assert_eq!(again, 50, "counted from the first byte again");
}

#[tokio::test]
async fn a_layer_that_is_wrong_every_time_is_never_visible() {
    let wanted = describe(&noise(50, 2));
    for served in [noise(50, 3), noise(49, 2), noise(51, 2)] {
        let (provider, store) = (Faulty::new(served, []), MemoryStore::new());
        let error = copy(Step::Layer, &wanted, &provider, &store, &options(2)).await.unwrap_err();
        mismatch(&error);
        assert_eq!(error.side(), Some(Side::Source));
        assert_eq!(provider.opened().len(), 3, "two retries");
        assert!(store.digests().is_empty());
    }
}

#[tokio::test]
async fn errors_carry_their_side() {
    struct Full;
    #[async_trait::async_trait]
    impl cache_ingest::Ingester for Full {
        async fn put(&self, d: &Descriptor, _: &cache_ingest::Source<'_>) -> Result<Stored, Error> {
            Err(Error::new(ErrorKind::NoSpace, "put", d.digest, "the disk is full"))
        }
    }
    let bytes = noise(5, 1);
    let provider = Faulty::new(bytes.clone(), [Fault::Refuse(ErrorKind::NotFound)]);
    let blob = describe(&bytes);
    let error = copy(Step::Layer, &blob, &provider, &MemoryStore::new(), &options(2)).await.unwrap_err();
    assert_eq!((error.side(), error.kind()), (Some(Side::Source), ErrorKind::NotFound));
    let error = copy(Step::Layer, &blob, &provider, &Full, &options(2)).await.unwrap_err();
    assert_eq!((error.side(), error.kind()), (Some(Side::Destination), ErrorKind::NoSpace));
    assert_eq!(error.to_string(), format!("destination: put {}: the disk is full", blob.digest));
}

#[tokio::test]
async fn the_retries_of_a_source_that_is_away_are_not_multiplied() {
    let bytes = noise(5, 1);
    let provider = Faulty::new(bytes.clone(), [Fault::Refuse(ErrorKind::Unavailable); 50]);
    let mut options = options(3);
    options.budget = RetryBudget::new(40);
    let store = MemoryStore::new();
    let error = copy(Step::Layer, &describe(&bytes), &provider, &store, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!((provider.opened().len(), options.budget.left()), (4, 37));
}

#[tokio::test]
async fn bytes_in_memory_that_do_not_fit_are_not_tried_again() {
    let heard = Heard::default();
    let blob = describe(b"right");
    let to = MemoryStore::new();
    let error = copy_bytes(Step::Config, &blob, "wrong".into(), &to, &job_hearing(&options(5), &heard))
        .await
        .unwrap_err();
    assert!(matches!(mismatch(&error), Mismatch::Different { .. }));
    assert_eq!(heard.steps(), ["started writing config", "failed writing config"]);
    copy_bytes(Step::Config, &blob, "right".into(), &to, &job_hearing(&options(5), &heard)).await.unwrap();
    assert_eq!(to.blob(&blob.digest).unwrap(), "right");
}

#[tokio::test]
async fn many_blobs_are_copied_once_each_and_summed_up() {
    let (from, to, heard) = (MemoryStore::new(), MemoryStore::new(), Heard::default());
    let blobs: Vec<_> =
        (0..40).map(|n| from.insert(MediaType::default(), noise(1000 + n, n as u8))).collect();
    to.insert(MediaType::default(), noise(1000, 0));
    let twice = blobs.iter().chain(&blobs).map(|blob| (Step::Layer, blob.clone()));
    let summary = copy_all(twice, &from, &to, &job_hearing(&Job::default(), &heard)).await.unwrap();
    let bytes: u64 = blobs.iter().map(|blob| blob.size).sum();
    assert_eq!(
        summary,
        Summary {
            stored: Tally { blobs: 39, bytes: bytes - 1000 },
            already_present: Tally { blobs: 1, bytes: 1000 },
            mounted: Tally::default(),
        }
    );
    assert_eq!(summary.total(), Tally { blobs: 40, bytes });
    assert_eq!(to.digests(), from.digests());
    assert_eq!(heard.steps()[0], format!("planned 40 blobs, {bytes} bytes"));
    assert_eq!(heard.transferred(), bytes - 1000);
}

#[tokio::test]
async fn two_sizes_for_one_digest_stop_the_copy_before_it_begins() {
    let from = MemoryStore::new();
    let blob = from.insert(MediaType::default(), "x");
    let mut other = blob.clone();
    other.size = 2;
    let to = MemoryStore::new();
    let both = [(Step::Layer, blob), (Step::Layer, other)];
    let error = copy_all(both, &from, &to, &Job::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(to.digests().is_empty());
}

#[tokio::test]
async fn the_first_error_ends_the_copy_of_many() {
    let bytes = noise(30, 1);
    let stalled = Faulty::new(bytes.clone(), [Fault::Stall(3), Fault::Refuse(ErrorKind::Denied)]);
    let other = describe(b"other");
    let blobs = [(Step::Layer, describe(&bytes)), (Step::Layer, other)];
    let to = MemoryStore::new();
    let heard = Heard::default();
    let job = job_hearing(&options(0), &heard);
    let copied = copy_all(blobs, &stalled, &to, &job);
    let error = tokio::time::timeout(Duration::from_secs(20), copied).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(to.digests().is_empty());
    let both =
        ["started writing layer", "started writing layer", "failed writing layer", "failed writing layer"];
    assert_eq!(heard.steps()[1..], both, "the blob that was under way has an end, too");
}

#[tokio::test]
async fn each_begun_blob_of_a_copy_that_is_dropped_fails() {
    let bytes = noise(30, 1);
    let stalled = Faulty::new(bytes.clone(), [Fault::Stall(3), Fault::Stall(3)]);
    let blobs = [&bytes[..], b"other"].map(|bytes| (Step::Layer, describe(bytes)));
    let failed = Arc::new(Mutex::new(Vec::new()));
    let errors = Arc::clone(&failed);
    let job = options(0).with_progress(move |event: &Event<'_>| {
        if let Event::Failed { error, .. } = event {
            errors.lock().unwrap().push(error.to_string());
        }
    });
    let to = MemoryStore::new();
    let copied = copy_all(blobs.clone(), &stalled, &to, &job);
    tokio::time::timeout(Duration::from_millis(50), copied).await.unwrap_err();
    let mut failed = failed.lock().unwrap().clone();
    failed.sort();
    let mut expected = blobs.map(|(_, d)| format!("finish {}: the job ended before it was done", d.digest));
    expected.sort();
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn no_more_are_under_way_than_allowed() {
    let provider = Faulty::new("abc", []);
    let blobs: Vec<_> = (0..20)
        .map(|n| {
            let mut d = describe(&[n]);
            d.size = 3;
            d
        })
        .collect();
    cache_ingest::presence(&provider, &blobs, &Job::default().with_concurrency(4)).await.unwrap();
    assert_eq!(provider.most_under_way(), 4);
}

#[test]
fn the_futures_can_be_spawned() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let store = MemoryStore::new();
    let options = Job::default();
    drop(sendable(copy_all([], &store, &store, &options)));
    let nothing: [&Descriptor; 0] = [];
    drop(sendable(cache_ingest::presence(&store, nothing, &options)));
    let provider: &dyn Provider = &store;
    let blob = describe(b"");
    drop(sendable(cache_ingest::ProviderExt::read(provider, &blob, &options)));
}
