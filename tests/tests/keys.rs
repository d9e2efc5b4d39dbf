//! The keys of real caches: every record is found by its digest and its links, in its own cache and in a loaded copy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_import::open;
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
use cache_keys::{CacheKeys, KeyId, KeyLink, ResultFilter};
use cache_model::{CacheChains, RecordRef, ResultRef};
use tests::{fixture, fixtures};

/// The indexed caches of a fixture; an image for several platforms has several.
async fn keys_of(name: &str) -> Vec<CacheKeys> {
    let store = LayoutStore::open(fixture(name), LayoutOptions::default()).await.unwrap();
    let opened = open(&store, &Name::Unspecified, &Job::default()).await.unwrap();
    let imported = opened.import(&store, &Job::default()).await.unwrap();
    imported.caches.into_iter().map(|cache| CacheKeys::new(cache.chains).unwrap()).collect()
}

/// The links of each input of a record.
fn links<'k>(keys: &'k CacheKeys, record: RecordRef<'k>) -> Vec<Vec<KeyLink<'k>>> {
    let link = |source, selector| KeyLink::new(keys.id(source).unwrap(), selector);
    record.inputs().map(|links| links.map(|l| link(l.source, l.selector)).collect()).collect()
}

fn plain(result: ResultRef<'_>) -> String {
    format!("{} {:?}", result.created_at(), result.layers())
}

#[tokio::test]
async fn every_record_of_a_real_cache_is_found_with_its_results() {
    let mut cached = 0;
    for name in fixtures() {
        for keys in keys_of(&name).await {
            for record in keys.graph().records() {
                let inputs = links(&keys, record);
                let inputs: Vec<&[KeyLink<'_>]> = inputs.iter().map(Vec::as_slice).collect();
                let found = keys.find_record(record.digest(), &inputs);
                let id = keys.id(record).unwrap();
                assert_eq!(found.ids().collect::<Vec<_>>(), [id], "{name}");
                let results: Vec<String> = found.results().map(plain).collect();
                let stored: Vec<String> = keys.results(id, ResultFilter::Any).map(plain).collect();
                assert_eq!(results, stored, "{name}");
                cached += usize::from(found.is_cached());

                // One link of each input is enough, here the last.
                let of_each = inputs.iter().map(|links| &links[links.len() - 1..]).collect::<Vec<_>>();
                assert!(keys.find_record(record.digest(), &of_each).ids().any(|found| found == id), "{name}");
            }
        }
    }
    assert!(cached > 300, "{cached} records with results");
}

#[tokio::test]
async fn keys_have_the_same_ids_after_an_export() {
    for name in fixtures() {
        for keys in keys_of(&name).await {
            let exported = keys.graph().chains().marshal(&|_| true).unwrap();
            let again =
                CacheChains::from_config(&exported.config, exported.layer_descriptors()).unwrap().chains;
            let again = CacheKeys::new(again).unwrap();
            let sorted = |keys: &CacheKeys| {
                let mut ids: Vec<KeyId> = keys.ids().cloned().collect();
                ids.sort();
                ids
            };
            assert_eq!(sorted(&again), sorted(&keys), "{name}");
        }
    }
}
