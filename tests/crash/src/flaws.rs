//! Tests that the search finds a store that leaves out a sync.
//!
//! Each takes the recorded steps of the real store and drops one kind of sync from them.

use std::path::{Path, PathBuf};

use crate::power::{Next, Power, SCENARIOS, Scenario, go_on_after_each};
use crate::recorder::{Change, Step};
use crate::search::Search;

/// Something that a sync makes durable.
#[derive(Clone, Copy, Debug)]
enum Durable {
    /// The content of the files that are in this folder or have this name, or get it later.
    Content(&'static str),
    /// The names in this folder.
    Names(&'static str),
    /// The names in this folder that only the last sync of it covers.
    LastNames(&'static str),
}
use Durable::{Content, LastNames, Names};

/// The steps without the syncs that make this durable.
fn without(steps: &[Step], durable: Durable) -> Vec<Step> {
    let last = |folder: &str| {
        let is_sync = |step: &Step| matches!(step, Step::Change(Change::SyncFolder(synced)) if synced == Path::new(folder));
        steps.iter().rposition(is_sync)
    };
    let is_left = |(number, step): &(usize, &Step)| match (step, durable) {
        (Step::Change(Change::SyncFolder(folder)), Names(names)) => folder != Path::new(names),
        (_, LastNames(names)) => Some(*number) != last(names),
        (Step::Change(Change::SyncFile(file)), Content(place)) => {
            !file.starts_with(place) && !becomes(file, &steps[*number..]).starts_with(place)
        }
        _ => true,
    };
    steps.iter().enumerate().filter(is_left).map(|(_, step)| step.clone()).collect()
}

/// The name that a staged file is renamed to.
fn becomes(file: &Path, steps: &[Step]) -> PathBuf {
    let name = |step: &Step| match step {
        Step::Change(Change::Rename(from, to)) if from == file => Some(to.clone()),
        _ => None,
    };
    steps.iter().find_map(name).unwrap_or_default()
}

fn breaches(search: &Search<'_>) -> String {
    let lines: Vec<&str> =
        search.breaches.iter().flat_map(|breach| &breach.what).map(String::as_str).collect();
    lines.join("; ")
}

/// The breaches at the first step that has any, in copies without these syncs.
async fn breach(scenario: &Scenario, durable: Option<Durable>) -> String {
    let samples = scenario.samples().await.unwrap();
    let recorded = scenario.record(&samples).await.unwrap();
    let steps = durable.map_or(recorded.clone(), |durable| without(&recorded, durable));
    assert!(durable.is_none() || steps.len() < recorded.len(), "there is no such sync: {durable:?}");
    let mut search = Power { seed: 1, states: 1 }.search(scenario, &samples);
    search.first_only = true;
    search.run(&steps, 0).await.unwrap();
    breaches(&search)
}

/// As [`breach`], in a second copy without these syncs, which continues where the first one was killed.
async fn breach_after_kill(scenario: &Scenario, next: Next, durable: Durable) -> String {
    let samples = scenario.samples().await.unwrap();
    let mut search = Power { seed: 1, states: 0 }.search(scenario, &samples);
    search.first_only = true;
    let alter = |steps: Vec<Step>| without(&steps, durable);
    go_on_after_each(scenario, &samples, next, &mut search, &alter).await.unwrap();
    breaches(&search)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_loses_nothing() {
    for scenario in &SCENARIOS {
        assert_eq!(breach(scenario, None).await, "");
    }
}

/// Whole, torn, zeroed and lost parts: the next copy of each state has to succeed, and to leave no wrong blob.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_blobs_are_among_the_states() {
    for scenario in &SCENARIOS {
        let samples = scenario.samples().await.unwrap();
        let steps = scenario.record(&samples).await.unwrap();
        let mut search = Power { seed: 1, states: 0 }.search(scenario, &samples);
        search.run(&steps, 0).await.unwrap();
        assert_eq!(breaches(&search), "");
        assert!(search.states_with_parts > 10, "{}", search.states_with_parts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_sync_is_found_when_it_is_missing() {
    let expected = [
        (Content("cache/blobs"), "has other content"),
        (Content("cache/index.json"), "the layout cannot be read"),
        (Content("cache/oci-layout"), "oci-layout is absent or not whole"),
        (Names(""), "a was reported done and is not there"),
        (Names("cache"), "it has neither oci-layout nor index.json and blobs"),
        (Names("cache/blobs"), "is named and not complete"),
        (Names("cache/blobs/sha256"), "is named and not complete"),
    ];
    for (durable, what) in expected {
        let found = breach(&SCENARIOS[0], Some(durable)).await;
        assert!(found.contains(what), "{durable:?}: {found:?}");
    }
    let found = breach(&SCENARIOS[1], Some(Names("some"))).await;
    assert!(found.contains("a was reported done and is not there"), "{found:?}");
    let found = breach(&SCENARIOS[2], Some(Names("cache/blobs/sha512"))).await;
    assert!(found.contains("is named and not complete"), "{found:?}");
}

/// The index in which a tag is removed has to be durable before the blobs of the tag go.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_makes_the_index_durable_first() {
    let found = breach(&SCENARIOS[4], Some(LastNames("cache"))).await;
    assert!(found.contains("\"b\") is named and not complete"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_copy_makes_durable_the_changes_of_a_killed_one() {
    let expected = [
        (Names(""), "a was reported done and is not there"),
        (Names("cache/blobs"), "is named and not complete"),
    ];
    for (durable, what) in expected {
        let found = breach_after_kill(&SCENARIOS[0], Next::New, durable).await;
        assert!(found.contains(what), "{durable:?}: {found:?}");
    }
}

/// The folder of sha512 blobs is made with the first such blob, not at opening, and has syncs of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_copy_makes_durable_the_sha512_folder_of_a_killed_one() {
    let expected = [
        // Another process has made the folder after this store synced all folders, so the store does not see that it is new.
        (Next::Prepared, Names("cache/blobs")),
        // All blobs exist, and their names are not durable: publishing syncs them.
        (Next::New, LastNames("cache/blobs/sha512")),
        (Next::Prepared, LastNames("cache/blobs/sha512")),
    ];
    for (next, durable) in expected {
        let found = breach_after_kill(&SCENARIOS[2], next, durable).await;
        assert!(found.contains("is named and not complete"), "{next:?}, {durable:?}: {found:?}");
    }
    let (next, durable) = expected[0];
    assert_eq!(breach_after_kill(&SCENARIOS[0], next, durable).await, "", "sha256 blobs do not show it");
}
