//! Replacing a manifest by what is made of it: nothing that another process published is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    Error, ErrorKind, Event, Expect, Job, LayoutOptions, LayoutStore, MemoryStore, Name, Publisher,
    ReadStore, Resolved, Resolver, Swap, WriteStore,
};
use cache_model::{Descriptor, MediaType};
use futures_util::future::join_all;

fn name() -> Name {
    Name::Tag("list".to_owned())
}

/// Adds a line to the manifest, which is a list of lines, until it stands there. Gives the number of attempts.
async fn add(store: &dyn ReadStore, to: &dyn WriteStore, line: &str, job: &Job) -> Result<u32, Error> {
    let name = name();
    let mut swap = Swap::new(store, to, &name, job);
    loop {
        let before = match swap.begin().await? {
            Some(resolved) => resolved.read(store, job).await?,
            None => Bytes::new(),
        };
        let text = String::from_utf8(before.to_vec()).unwrap();
        let lines: BTreeSet<&str> = text.lines().chain([line]).collect();
        let new: String = lines.into_iter().flat_map(|line| [line, "\n"]).collect();
        let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &new);
        tokio::task::yield_now().await;
        let published = to.publish(&name, &descriptor, new.into(), swap.expect()).await;
        if swap.end(published.map(|()| descriptor.digest)).await? {
            return Ok(swap.attempts());
        }
    }
}

async fn lines(store: &dyn ReadStore) -> Vec<String> {
    let job = Job::default();
    let bytes = store.resolve(&name()).await.unwrap().read(store, &job).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

async fn all_are_there(store: &dyn ReadStore, to: &dyn WriteStore) {
    let job = Job::default();
    let numbers: Vec<String> = (10..26).map(|number| number.to_string()).collect();
    let attempts = join_all(numbers.iter().map(|line| add(store, to, line, &job))).await;
    let attempts: Vec<u32> = attempts.into_iter().map(Result::unwrap).collect();
    assert_eq!(lines(store).await, numbers);
    assert!(attempts.iter().any(|attempts| *attempts > 1), "they hindered each other: {attempts:?}");
}

#[tokio::test(start_paused = true)]
async fn sixteen_that_add_at_once_are_all_there() {
    let store = MemoryStore::new();
    all_are_there(&store, &store).await;
}

#[tokio::test]
async fn sixteen_that_add_to_a_folder_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = LayoutStore::open(folder.path().join("cache"), LayoutOptions::create()).await.unwrap();
    assert!(store.is_atomic());
    all_are_there(&store, &store).await;
}

/// A store that compares and then publishes, in two steps with others in between, as a registry does.
struct InTwoSteps(MemoryStore);

#[async_trait]
impl Publisher for InTwoSteps {
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        let current = self.0.resolve(name).await.ok().map(|current| current.descriptor.digest);
        expect.check(name, current)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.0.publish(name, descriptor, bytes, Expect::Any).await
    }
}

#[async_trait]
impl cache_ingest::Ingester for InTwoSteps {
    async fn put(
        &self,
        descriptor: &Descriptor,
        source: &cache_ingest::Source<'_>,
    ) -> Result<cache_ingest::Stored, Error> {
        self.0.put(descriptor, source).await
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_store_that_does_not_compare_and_swap_those_that_were_replaced_add_again() {
    let store = MemoryStore::new();
    let to = InTwoSteps(store.clone());
    assert!(!to.is_atomic());
    all_are_there(&store, &to).await;
}

/// A store that fails each publish in its own way.
struct Refusing {
    store: MemoryStore,
    /// Whether another process changes the name before each publish.
    overtakes: bool,
    kind: ErrorKind,
    publishes: AtomicUsize,
}

impl Refusing {
    fn new(overtakes: bool, kind: ErrorKind) -> Self {
        Self { store: MemoryStore::new(), overtakes, kind, publishes: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Publisher for Refusing {
    async fn publish(&self, name: &Name, _: &Descriptor, _: Bytes, _: Expect) -> Result<(), Error> {
        let number = self.publishes.fetch_add(1, Ordering::Relaxed);
        if self.overtakes {
            let other = format!("other {number}\n");
            let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &other);
            self.store.publish(name, &descriptor, other.into(), Expect::Any).await?;
        }
        Err(Error::new(self.kind, "publish", name, "it is refused"))
    }
}

#[async_trait]
impl cache_ingest::Ingester for Refusing {
    async fn put(
        &self,
        descriptor: &Descriptor,
        source: &cache_ingest::Source<'_>,
    ) -> Result<cache_ingest::Stored, Error> {
        self.store.put(descriptor, source).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_final_unless_the_name_has_changed() {
    for (overtakes, kind) in [(true, ErrorKind::Denied), (false, ErrorKind::Conflict)] {
        let to = Refusing::new(overtakes, kind);
        let error = add(&to.store, &to, "1", &Job::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (kind, "it is refused"));
        assert_eq!(to.publishes.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_attempts_are_the_last_and_each_is_reported() {
    let to = Refusing::new(true, ErrorKind::Conflict);
    let retries = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&retries);
    let job = Job::default().with_progress(move |event: &Event<'_>| {
        if let Event::Retrying { request, attempt, wait, .. } = event {
            seen.lock().unwrap().push((request.to_string(), *attempt, *wait));
        }
    });
    let error = add(&to.store, &to, "1", &job).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let reason =
        "other processes changed it in each of 100 attempts to add to it; try again when they have finished";
    assert_eq!(error.reason(), reason);
    assert_eq!(to.publishes.load(Ordering::Relaxed), 100);
    let retries = retries.lock().unwrap();
    assert_eq!(retries.len(), 99);
    assert_eq!((retries[0].0.as_str(), retries[0].1), (r#"publish tag "list""#, 2));
    assert!(retries.iter().all(|(_, _, wait)| *wait <= Duration::from_secs(2)));
}

/// A store whose manifest is replaced once, right after it was published.
struct Replaced(MemoryStore, AtomicUsize);

#[async_trait]
impl Publisher for Replaced {
    async fn publish(&self, name: &Name, d: &Descriptor, bytes: Bytes, expect: Expect) -> Result<(), Error> {
        self.0.publish(name, d, bytes, expect).await?;
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            let other = "2\n";
            let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, other);
            self.0.publish(name, &descriptor, other.into(), Expect::Any).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl cache_ingest::Ingester for Replaced {
    async fn put(
        &self,
        descriptor: &Descriptor,
        source: &cache_ingest::Source<'_>,
    ) -> Result<cache_ingest::Stored, Error> {
        self.0.put(descriptor, source).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_replaced_right_after_its_publish_is_added_again() {
    let to = Replaced(MemoryStore::new(), AtomicUsize::new(0));
    let began = tokio::time::Instant::now();
    assert_eq!(add(&to.0, &to, "1", &Job::default()).await.unwrap(), 2);
    assert_eq!(lines(&to.0).await, ["1", "2"]);
    assert!(began.elapsed() >= Duration::from_secs(2), "it looks a second after each publish");
}

/// A store that cannot be asked for a name.
struct Down;

#[async_trait]
impl Resolver for Down {
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        Err(Error::new(ErrorKind::Unavailable, "resolve", name, "it is down"))
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_not_taken_for_a_free_one() {
    let (store, name, job) = (MemoryStore::new(), name(), Job::default());
    let mut swap = Swap::new(&Down, &store, &name, &job);
    assert_eq!(swap.begin().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let shown = format!("{swap:?}");
    assert!(shown.contains("is_atomic: true") && shown.contains("attempts: 1"), "{shown}");
}
