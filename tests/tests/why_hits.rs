//! Hits and misses against an older cache are those that BuildKit showed, with the newer cache and before building.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;

use cache_explain::{Build, Cache, Instructions, MatchState, Matching, match_build};
use cache_inputs::read_builds;
use serde_json::Value;
use tests::why::WhyCase;
use tests::why_inputs::WhyInputs;

/// How many steps are known to hit or miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    right: usize,
    unknown: usize,
}

/// What is at hand when builds are matched with older caches.
#[derive(Clone, Copy)]
struct AtHand {
    new_cache: bool,
    contexts: bool,
    layers: bool,
}

/// A build and an older one.
struct Pair {
    case: WhyCase,
    older: WhyCase,
    read: WhyInputs,
    older_read: WhyInputs,
}

fn pairs() -> Vec<Pair> {
    let cases = WhyCase::all().into_iter();
    let pairs = cases.filter_map(|case| {
        let older = case.older()?;
        let (read, older_read) = (WhyInputs::read(&case), WhyInputs::read(&older));
        Some(Pair { case, older, read, older_read })
    });
    let pairs: Vec<_> = pairs.collect();
    assert_eq!(pairs.len(), 32);
    pairs
}

/// Matches each build with the cache of the older one, and checks every known answer.
fn check(pairs: &[Pair], at_hand: AtHand) -> Counts {
    let none = HashMap::new();
    let mut counts = Counts::default();
    for Pair { case, older, read, older_read } in pairs {
        let steps = case.truth["against"]["steps"].as_array().unwrap();
        let (old, new) = (older.chains(), case.chains());
        let (old, new) = (old.graph().unwrap(), new.graph().unwrap());
        let old = Cache::new(&old, if at_hand.layers { &older_read.layers } else { &none });
        let new = Cache::new(&new, &none);
        let builds = if at_hand.contexts { read.with_contexts() } else { read.without_contexts() };
        let mut answered = 0;
        for inputs in builds {
            let new = at_hand.new_cache.then_some(&new);
            let matching = match_build(&inputs, std::slice::from_ref(&old), new);
            let platform = inputs.build.target.as_ref().map(ToString::to_string);
            let is_of_build =
                |step: &&Value| step["platform"].as_str().is_none_or(|of| Some(of) == platform.as_deref());
            for step in steps.iter().filter(is_of_build) {
                answered += 1;
                check_step(&case.name, inputs.build, &matching, step, &mut counts);
            }
        }
        assert_eq!(answered, steps.len(), "{}: every step was looked at", case.name);
    }
    counts
}

fn check_step(case: &str, build: &Build, matching: &Matching, truth: &Value, counts: &mut Counts) {
    let at = format!("{case}: {truth}");
    let step: usize = truth["step"].as_str().unwrap().strip_prefix("step").unwrap().parse().unwrap();
    let instructions = Instructions::of(build);
    assert_eq!(instructions.line(step).map(|line| line as u64), truth["line"].as_u64(), "{at}");
    assert_eq!(instructions.text(step), truth["instruction"].as_str(), "{at}");
    match &matching.steps[step].state {
        MatchState::Hit => assert_eq!(truth["cached"], true, "{at}"),
        MatchState::Miss => assert_eq!(truth["cached"], false, "{at}"),
        MatchState::Unknown(_) => {
            counts.unknown += 1;
            return;
        }
        other => panic!("{at}: {other:?}"),
    }
    counts.right += 1;
}

#[test]
fn known_answers_are_those_of_buildkit_and_with_both_caches_all_are_known() {
    let pairs = pairs();
    for (new_cache, contexts, layers, right, unknown) in [
        (true, true, true, 316, 0),
        (true, true, false, 316, 0),
        (true, false, true, 316, 0),
        (true, false, false, 316, 0),
        // Before building, the files that steps will make are unknown, and images that no cache has.
        (false, true, true, 222, 94),
        (false, true, false, 222, 94),
        (false, false, true, 52, 264),
        (false, false, false, 52, 264),
    ] {
        let counts = check(&pairs, AtHand { new_cache, contexts, layers });
        let expected = Counts { right, unknown };
        assert_eq!(counts, expected, "new cache {new_cache}, contexts {contexts}, layers {layers}");
    }
}

#[test]
fn the_record_of_the_builders_history_tells_the_layers_of_more_images() {
    let pairs: Vec<Pair> = pairs()
        .into_iter()
        .map(|mut pair| {
            pair.read.builds = read_builds(&pair.case.dockerbuild().unwrap()).unwrap();
            pair
        })
        .collect();
    let counts = check(&pairs, AtHand { new_cache: false, contexts: true, layers: true });
    assert_eq!(counts, Counts { right: 235, unknown: 81 });
    let counts = check(&pairs, AtHand { new_cache: true, contexts: true, layers: true });
    assert_eq!(counts, Counts { right: 316, unknown: 0 });
}
