//! Looking for missing and damaged blobs.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use cache_ingest::{ByteStream, Error, ErrorKind, Event, Info, Provider};
use cache_model::{Descriptor, MediaType};
use cache_verify::{DamagedBlob, FindingKind, damaged_blobs};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::store::Store;
use crate::support::{TAR, job, sha256};

/// Five blobs: one that is right, and one each that is missing, short, long, and of other content. By digest.
fn spoiled(store: &mut Store) -> Vec<(Descriptor, Option<FindingKind>)> {
    let names = ["right", "missing", "short", "long", "other"];
    let [right, missing, short, long, other] =
        names.map(|name| Descriptor::of(MediaType::new(TAR), format!("{name:<9}")));
    store.insert(MediaType::new(TAR), format!("{:<9}", "right"));
    for (blob, lie) in [(&short, "a"), (&long, "many more bytes"), (&other, "9 others.")] {
        store.lies.insert(blob.digest, lie.into());
    }
    let mut blobs = vec![
        (right, None),
        (missing, Some(FindingKind::MissingBlob)),
        (short, Some(FindingKind::ShortBlob { expected: 9, actual: 1 })),
        (long, Some(FindingKind::LongBlob { expected: 9, actual: Some(15) })),
        (other, Some(FindingKind::WrongDigest { actual: sha256(b"9 others.") })),
    ];
    blobs.sort_by_key(|(blob, _)| blob.digest);
    blobs
}

#[tokio::test]
async fn missing_and_damaged_blobs_are_found_and_only_reading_finds_other_content() {
    let mut store = Store::default();
    let blobs = spoiled(&mut store);
    for read in [false, true] {
        let events = std::sync::Arc::new(Mutex::new(Vec::new()));
        let seen = std::sync::Arc::clone(&events);
        let job = job().with_progress(move |event: &Event<'_>| {
            let text = match event {
                Event::Planned { blobs, bytes } => format!("{blobs} blobs, {bytes} bytes"),
                Event::Finished { .. } => "finished".to_owned(),
                Event::Failed { error, .. } => format!("{:?}", error.kind()),
                _ => return,
            };
            seen.lock().unwrap().push(text);
        });
        let found = damaged_blobs(&store, blobs.iter().map(|(blob, _)| blob), read, &job).await.unwrap();
        let expected = blobs.iter().filter_map(|(blob, defect)| Some((blob.clone(), defect.clone()?)));
        let expected: Vec<_> = expected
            .filter(|(_, defect)| read || !matches!(defect, FindingKind::WrongDigest { .. }))
            .collect();
        let found: Vec<_> =
            found.into_iter().map(|DamagedBlob { descriptor, defect, .. }| (descriptor, defect)).collect();
        assert_eq!(found, expected, "read: {read}");
        assert_eq!(store.opened.lock().unwrap().len(), if read { 4 } else { 0 });
        let events = events.lock().unwrap();
        let of = |text: &str| events.iter().filter(|event| *event == text).count();
        assert_eq!((events[0].as_str(), of("NotFound")), ("5 blobs, 45 bytes", 1));
        assert_eq!((of("Corrupt"), of("finished")), if read { (3, 1) } else { (2, 2) });
    }
}

#[tokio::test]
async fn a_store_that_cannot_tell_is_an_error_and_never_a_missing_blob() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::Other] {
        let mut store = Store::default();
        let blobs = spoiled(&mut store);
        let unknown = blobs.iter().find(|(_, defect)| defect.is_none()).unwrap().0.clone();
        store.failing.insert(unknown.digest, kind);
        for read in [false, true] {
            let looked = damaged_blobs(&store, blobs.iter().map(|(blob, _)| blob), read, &job()).await;
            let error = looked.unwrap_err();
            assert_eq!((error.kind(), error.subject()), (kind, unknown.digest.to_string().as_str()));
        }
    }
}

/// A store that answers only when it was asked eight questions at once.
struct Eight(Barrier);

#[async_trait]
impl Provider for Eight {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.wait().await;
        Ok(Info::new(descriptor.size))
    }

    async fn open(&self, descriptor: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::new(ErrorKind::Other, "open", descriptor.digest, "nobody reads it"))
    }
}

#[tokio::test]
async fn a_store_is_asked_for_as_many_blobs_at_once_as_the_job_allows() {
    let blobs: Vec<_> = (0..16u8).map(|n| Descriptor::of(MediaType::new(TAR), [n])).collect();
    let store = Eight(Barrier::new(8));
    let job = job().with_concurrency(8);
    let looked = timeout(Duration::from_secs(60), damaged_blobs(&store, &blobs, false, &job)).await;
    assert!(looked.expect("eight at once").unwrap().is_empty());
}
