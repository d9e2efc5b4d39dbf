//! Tests that the search catches what it is for: it is given what a store would have done that leaves out a sync.
//!
//! The real store's steps are the start of each; nothing is written wrongly on purpose.

use std::path::{Path, PathBuf};

use crate::power::{Next, Power, SCENARIOS, Scenario, go_on_after_each};
use crate::recorder::{Change, Step};
use crate::search::Search;

/// What a sync makes durable.
#[derive(Clone, Copy, Debug)]
enum Durable {
    /// The content of the files that get a name in this folder, or this name.
    Content(&'static str),
    /// The names in this folder.
    Names(&'static str),
    /// The names in this folder that only the last sync of it covers.
    LastNames(&'static str),
}
use Durable::{Content, LastNames, Names};

/// What is left of steps when no sync makes this durable.
fn without(steps: &[Step], durable: Durable) -> Vec<Step> {
    let last = |folder: &str| {
        let is_sync = |step: &Step| matches!(step, Step::Change(Change::SyncFolder(synced)) if synced == Path::new(folder));
        steps.iter().rposition(is_sync)
    };
    let is_left = |(number, step): &(usize, &Step)| match (step, durable) {
        (Step::Change(Change::SyncFolder(folder)), Names(names)) => folder != Path::new(names),
        (_, LastNames(names)) => Some(*number) != last(names),
        (Step::Change(Change::SyncFile(file)), Content(place)) => {
            !becomes(file, &steps[*number..]).starts_with(place)
        }
        _ => true,
    };
    steps.iter().enumerate().filter(is_left).map(|(_, step)| step.clone()).collect()
}

/// The name that a staged file gets.
fn becomes(file: &Path, steps: &[Step]) -> PathBuf {
    let name = |step: &Step| match step {
        Step::Change(Change::Rename(from, to)) if from == file => Some(to.clone()),
        _ => None,
    };
    steps.iter().find_map(name).unwrap_or_default()
}

fn told(search: &Search<'_>) -> String {
    let told: Vec<&str> =
        search.breaches.iter().flat_map(|breach| &breach.what).map(String::as_str).collect();
    told.join("; ")
}

/// What is wrong at the first step after which anything is, in copies without these syncs.
async fn breach(scenario: &Scenario, durable: Option<Durable>) -> String {
    let samples = scenario.samples().await.unwrap();
    let recorded = scenario.record(&samples).await.unwrap();
    let steps = durable.map_or(recorded.clone(), |durable| without(&recorded, durable));
    assert!(durable.is_none() || steps.len() < recorded.len(), "there is no such sync: {durable:?}");
    let mut search = Power { seed: 1, states: 1 }.search(scenario, &samples);
    search.first_only = true;
    search.run(&steps, 0).await.unwrap();
    told(&search)
}

/// The same of a copy that goes on, without these syncs, where another was killed.
async fn breach_after_kill(scenario: &Scenario, next: Next, durable: Durable) -> String {
    let samples = scenario.samples().await.unwrap();
    let mut search = Power { seed: 1, states: 0 }.search(scenario, &samples);
    search.first_only = true;
    let alter = |steps: Vec<Step>| without(&steps, durable);
    go_on_after_each(scenario, &samples, next, &mut search, &alter).await.unwrap();
    told(&search)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_loses_nothing() {
    for scenario in &SCENARIOS {
        assert_eq!(breach(scenario, None).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_kind_of_sync_that_is_left_out_is_missed() {
    let expected = [
        (Content("cache/blobs"), "has other content"),
        (Content("cache/index.json"), "the layout cannot be read"),
        (Content("cache/oci-layout"), "the next copy fails"),
        (Names(""), "a was reported done and is not there"),
        (Names("cache"), "it has no file oci-layout"),
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_copy_has_not_made_durable_the_next_one_must() {
    let expected = [
        (Names(""), "a was reported done and is not there"),
        (Names("cache/blobs"), "is named and not complete"),
    ];
    for (durable, what) in expected {
        let found = breach_after_kill(&SCENARIOS[0], Next::New, durable).await;
        assert!(found.contains(what), "{durable:?}: {found:?}");
    }
}

/// Sha512 blobs have a folder that is not made before all else, and syncs of their own for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_sha512_blobs_that_a_killed_copy_has_made_is_made_durable() {
    let expected = [
        // The store does not see that it is new, as another has made it, after the store has synced all folders.
        (Next::Prepared, Names("cache/blobs")),
        // All blobs are there, and their names are not durable: it is the publishing that syncs them.
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
