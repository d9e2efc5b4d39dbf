//! The stores of this workspace obey all laws, by themselves and behind pointers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cache_conformance::{Down, Outcome, Store, StrictStore, assert_conforms, run_all};
use cache_ingest::{Error, ErrorKind, LayoutOptions, LayoutStore, MemoryStore, MultiProvider, Provider};
use tempfile::TempDir;

/// A store with every trait and ability, so that no law is left out.
fn all<S>(store: S) -> Result<Store, Error>
where
    S: Provider
        + cache_ingest::Ingester
        + cache_ingest::Resolver
        + cache_ingest::Publisher
        + cache_ingest::Lister
        + cache_ingest::Referrers
        + cache_ingest::Remover
        + Clone
        + 'static,
{
    let complete = Store::complete(store.clone()).with_lister(store.clone()).with_remover(store.clone());
    Ok(complete.with_referrers(store).with_sha512().with_unreachable(Down(ErrorKind::Unavailable)))
}

/// A folder that layouts are made in.
struct Layouts(TempDir, AtomicU32);

impl Layouts {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), AtomicU32::new(0))
    }

    async fn fresh(&self) -> Result<LayoutStore, Error> {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let folder = self.0.path().join(number.to_string());
        LayoutStore::open(folder, LayoutOptions::create().with_sync(false)).await
    }
}

#[tokio::test]
async fn the_memory_store_conforms_and_no_law_is_left_out() {
    let report = run_all(&|| async { all(MemoryStore::new()) }).await;
    let held = |(_, outcome): (_, &Outcome)| *outcome == Outcome::Held;
    assert!(report.outcomes().all(held), "{report}");
}

#[tokio::test]
async fn the_memory_store_conforms_behind_pointers() {
    assert_conforms(&|| async { all(Box::new(MemoryStore::new())) }).await;
    assert_conforms(&|| async { all(Arc::new(MemoryStore::new())) }).await;
    assert_conforms(&|| async {
        let store = Arc::new(MemoryStore::new());
        let provider: Box<dyn Provider> = Box::new(store.clone());
        let ingester: Box<dyn cache_ingest::Ingester> = Box::new(store.clone());
        let resolver: Arc<dyn cache_ingest::Resolver> = store.clone();
        let publisher: Box<dyn cache_ingest::Publisher> = Box::new(store);
        Ok(Store {
            provider: Some(Arc::new(provider)),
            ingester: Some(Arc::new(ingester)),
            resolver: Some(Arc::new(resolver)),
            publisher: Some(Arc::new(publisher)),
            ..Store::default()
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layout_store_conforms() {
    let layouts = Layouts::new();
    assert_conforms(&|| async { all(layouts.fresh().await?) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layout_store_conforms_behind_pointers() {
    let layouts = Layouts::new();
    assert_conforms(&|| async { all(Box::new(Arc::new(layouts.fresh().await?))) }).await;
}

#[tokio::test]
async fn the_strict_store_conforms() {
    assert_conforms(&|| async { all(Arc::new(StrictStore::new())) }).await;
}

/// Two stores as one provider; puts go to the second.
#[tokio::test]
async fn several_providers_as_one_conform() {
    let layouts = Layouts::new();
    assert_conforms(&|| async {
        let (first, second) = (MemoryStore::new(), Arc::new(layouts.fresh().await?));
        let providers: [Arc<dyn Provider>; 2] = [Arc::new(first.clone()), second.clone()];
        let down: [Arc<dyn Provider>; 2] = [Arc::new(first), Arc::new(Down(ErrorKind::Denied))];
        Ok(Store {
            provider: Some(Arc::new(MultiProvider::new(providers))),
            ingester: Some(second),
            unreachable: Some(Arc::new(MultiProvider::new(down))),
            ..Store::default()
        })
    })
    .await;
}

#[tokio::test]
async fn laws_about_missing_traits_are_left_out() {
    let report = run_all(&|| async { Ok(Store::default()) }).await;
    assert!(report.conforms());
    assert!(report.outcomes().all(|(_, outcome)| matches!(outcome, Outcome::LeftOut(_))));
}

/// Each law names its own function in its violations, and each law is run.
#[tokio::test]
async fn every_law_is_run_under_its_own_name() {
    let files = [
        include_str!("../src/laws/breaking.rs"),
        include_str!("../src/laws/naming.rs"),
        include_str!("../src/laws/putting.rs"),
        include_str!("../src/laws/racing.rs"),
        include_str!("../src/laws/reading.rs"),
        include_str!("../src/laws/referring.rs"),
        include_str!("../src/laws/removing.rs"),
    ];
    let (mut functions, mut names) = (Vec::new(), Vec::new());
    for line in files.iter().flat_map(|file| file.lines()) {
        if let Some(rest) = line.strip_prefix("pub async fn ") {
            functions.push(rest.split('(').next().unwrap());
        }
        if let Some((_, rest)) = line.split_once("Law(\"") {
            names.push(rest.split('"').next().unwrap());
        }
    }
    assert_eq!(functions, names);
    let report = run_all(&|| async { Ok(Store::default()) }).await;
    let run: BTreeSet<&str> = report.outcomes().map(|(law, _)| law).collect();
    assert_eq!(run, functions.into_iter().collect());
    assert_eq!(run.len(), report.outcomes().count());
}
