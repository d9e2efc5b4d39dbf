//! A record of another build than that of the newer cache is noticed, and the record of its build never is.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cache_explain::{Cache, Explanation, NewSide, OldSide, explain};
use cache_model::CacheChains;
use serde_json::{Value, json};
use tests::why::WhyCase;
use tests::why_inputs::WhyInputs;

/// Explains a cache with a record, against an older cache.
fn explained(new: &CacheChains, record: &WhyCase, old: &WhyCase) -> Explanation {
    let none = HashMap::new();
    let old = old.chains();
    let (old, new) = (old.graph().unwrap(), new.graph().unwrap());
    let (old, new) = (Cache::new(&old, &none), Cache::new(&new, &none));
    let read = WhyInputs::read(record);
    let builds = read.without_contexts();
    explain(
        &NewSide { builds: &builds, cache: Some(&new) },
        &OldSide { builds: &[], contexts: &BTreeMap::new(), cache: &old },
    )
}

fn pairs() -> Vec<(WhyCase, WhyCase)> {
    let pairs: Vec<_> = WhyCase::all().into_iter().filter_map(|new| Some((new.older()?, new))).collect();
    assert_eq!(pairs.len(), 32);
    pairs
}

/// A config with only one of its records, and those on which that stands.
fn keep_below(config: &mut Value, top: usize) {
    let records = config["records"].as_array().unwrap().clone();
    let links = |record: &Value| {
        let inputs = record["inputs"].as_array().into_iter().flatten();
        let links = inputs.flat_map(|links| links.as_array().unwrap().clone());
        links.map(|link| linked(&link)).collect::<Vec<_>>()
    };
    let (mut kept, mut next) = (BTreeSet::new(), vec![top]);
    while let Some(record) = next.pop() {
        if kept.insert(record) {
            next.extend(links(&records[record]));
        }
    }
    let positions: HashMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let moved = kept.iter().map(|record| {
        let mut record = records[*record].clone();
        for link in record["inputs"].as_array_mut().into_iter().flatten() {
            for link in link.as_array_mut().unwrap() {
                link["link"] = json!(positions[&linked(link)]);
            }
        }
        record
    });
    config["records"] = moved.collect();
}

/// The record that a link leads to.
fn linked(link: &Value) -> usize {
    link["link"].as_u64().unwrap_or(0).try_into().unwrap()
}

#[test]
fn a_cache_lacks_no_step_of_its_record() {
    for new in WhyCase::all() {
        let old = new.older();
        let chains = new.chains();
        for old in old.iter().chain([&new]) {
            assert_eq!(explained(&chains, &new, old).absent.count(), 0, "{} against {}", new.name, old.name);
        }
    }
    let (min, whole) = (WhyCase::load("web-min"), WhyCase::load("web"));
    assert_eq!(explained(&min.chains(), &min, &whole).absent.count(), 0);
}

#[test]
fn a_pruned_cache_is_not_taken_for_that_of_another_build() {
    let mut pruned = 0;
    // The caches of the builder that made several builds have steps of the others.
    for (old, new) in pairs().iter().filter(|(_, new)| new.name != "shared-new") {
        let count = new.chains().graph().unwrap().records().count();
        for top in (0..count).step_by(4) {
            let chains = new.chains_of_edited_config(|config| keep_below(config, top)).unwrap();
            assert_eq!(explained(&chains, new, old).absent.count(), 0, "{}, record {top}", new.name);
            pruned += 1;
        }
    }
    println!("{pruned} pruned caches");
    assert!(pruned > 100);
}

#[test]
fn the_record_of_the_older_build_is_noticed_or_tells_the_truth() {
    let [mut noticed, mut noticed_back] = [Vec::new(), Vec::new()];
    for (old, new) in pairs() {
        let explained_back = explained(&old.chains(), &new, &new);
        if explained_back.absent.in_old > 0 {
            noticed_back.push(new.name.clone());
        }
        let explained_new = explained(&new.chains(), &old, &old);
        let answer = [explained_new.cached(), explained_new.ran()].map(Value::from);
        let truth = ["cached", "ran"].map(|of| new.truth["against"][of].clone());
        if explained_new.absent.in_old > 0 {
            assert!(answer[0].as_u64() <= truth[0].as_u64(), "{}: {answer:?} {truth:?}", new.name);
            noticed.push(new.name);
        } else if !["plat-two", "shared-new"].contains(&new.name.as_str()) {
            // Only contents changed, and these are the newer cache's.
            assert_eq!(answer, truth, "{}", new.name);
        }
    }
    let changed = "plat-386 raw-386 svc-cachenew svc-env svc-gen svc-gensame svc-tools web-arg web-base web-command web-dest";
    let changed: Vec<&str> = changed.split(' ').collect();
    assert_eq!(noticed, changed);
    // The cache of shared-new has all steps of shared-old, but not the other way round.
    noticed_back.retain(|name| name != "shared-new");
    assert_eq!(noticed_back, changed);
}
