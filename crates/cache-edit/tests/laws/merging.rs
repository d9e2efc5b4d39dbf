//! Laws of merging.

use cache_edit::{ANNOTATION_USED, Coherence, MergeOptions, Source, UsedOn, merge};
use cache_model::Rule;
use proptest::prelude::*;

use crate::support::{
    descriptor, has_one_number_of_inputs, hostile, load, load_all, merged, of_reference, options, read_all,
    sources, worlds, written_chains,
};

/// Days before, among and after those of the marks in hostile caches.
const DAYS: [&str; 4] = ["2025-01-01", "2026-01-01", "2026-01-03", "2026-06-01"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Law: merging gives what its definition gives.
    #[test]
    fn merging_gives_what_its_definition_gives(caches in sources(), options in options()) {
        let (chains, read) = (load_all(&caches), read_all(&caches));
        match (merged(&chains, options), reference::merge(&read, of_reference(options))) {
            (Some(merged), Ok(expected)) => {
                prop_assert_eq!(written_chains(&merged.chains), expected.export());
            }
            (None, Err(_)) => {}
            (found, expected) => panic!("{:?} rather than {expected:?}", found.is_some()),
        }
    }

    /// Law: merging does not depend on the order of the sources, if the newest result wins.
    #[test]
    fn merging_commutes(caches in sources(), keep_all: bool, by: prop::sample::Index) {
        let coherence = if keep_all { Coherence::KeepAll } else { Coherence::Coherent };
        let options = MergeOptions::default().with_coherence(coherence);
        let chains = load_all(&caches);
        let mut mixed: Vec<_> = chains.iter().collect();
        mixed.rotate_left(by.index(chains.len()));
        mixed[1..].reverse();
        match (merged(&chains, options), merged(mixed, options)) {
            (Some(one), Some(other)) => {
                prop_assert_eq!(written_chains(&one.chains), written_chains(&other.chains));
            }
            (one, other) => prop_assert!(one.is_none() && other.is_none()),
        }
    }

    /// Law: a source that is given twice changes nothing.
    #[test]
    fn a_source_given_twice_changes_nothing(
        caches in sources(), options in options(), twice: prop::sample::Index,
    ) {
        let chains = load_all(&caches);
        let again = chains.iter().chain([&chains[twice.index(chains.len())]]);
        if let Some(once) = merged(&chains, options) {
            let twice = merged(again, options).unwrap();
            prop_assert_eq!(written_chains(&once.chains), written_chains(&twice.chains));
        }
    }

    /// Law: merging the outcome alone gives it back, if each digest has one number of inputs. Otherwise BuildKit's rule, by
    /// which the outcome is read, joins records that the closed rule keeps apart.
    #[test]
    fn merging_the_outcome_alone_gives_it_back(caches in sources(), options in options()) {
        let Some(first) = merged(&load_all(&caches), options) else { return Ok(()) };
        if has_one_number_of_inputs(&first.chains.graph().unwrap()) {
            let outcome = written_chains(&first.chains);
            let again = merged([&load(&outcome)], options).unwrap();
            prop_assert_eq!(written_chains(&again.chains), outcome);
        }
    }

    /// Law: merging the outcome with its sources gives the outcome, where every source has the result of each step that it
    /// knows. Otherwise a lost result can come back, as a step without a result cannot be compared.
    #[test]
    fn merging_the_outcome_with_its_sources_changes_nothing(world in worlds()) {
        let mut chains = load_all(&world.with_all_results().caches());
        let outcome = written_chains(&merged(&chains, MergeOptions::default()).unwrap().chains);
        chains.push(load(&outcome));
        let again = merged(&chains, MergeOptions::default()).unwrap();
        prop_assert_eq!(written_chains(&again.chains), outcome);
    }

    /// Law: merging one source closes it, and changes nothing else.
    #[test]
    fn merging_one_source_closes_it(world in worlds(), options in options()) {
        for cache in world.caches() {
            let mut chains = load(&cache);
            let alone = merged([&chains], options).unwrap();
            prop_assert!(alone.report.contested.is_empty());
            chains.set_rule(Rule::Closed);
            prop_assert_eq!(written_chains(&alone.chains), written_chains(&chains));
        }
    }

    /// Law: marking a source is merging it with the mark on each of its layers, unless a layer has a later one.
    #[test]
    fn marking_a_source_marks_its_layers(caches in hostile(), day in prop::sample::select(&DAYS[..])) {
        let chains = load_all(&caches);
        let day: UsedOn = day.parse().unwrap();
        let sources = || chains.iter().map(Source::new);
        let (first, rest) = (sources().next().unwrap().marked(day), sources().skip(1));
        let options = MergeOptions::default();
        let Ok(marked) = merge(&[first].into_iter().chain(rest).collect::<Vec<_>>(), options) else {
            return Ok(());
        };
        let mut caches = caches;
        caches[0].descriptors.iter_mut().for_each(|text| *text = with_mark(text, day));
        let expected = merged(&load_all(&caches), options).unwrap();
        prop_assert_eq!(written_chains(&marked.chains), written_chains(&expected.chains));
    }
}

/// The text of a descriptor with a mark of use, unless it has a later one.
fn with_mark(text: &str, day: UsedOn) -> String {
    let descriptor = descriptor(text);
    let known = descriptor.annotations.get(ANNOTATION_USED).and_then(|known| known.parse().ok());
    let day = known.map_or(day, |known: UsedOn| known.max(day));
    String::from_utf8(descriptor.with_annotation(ANNOTATION_USED, &day.to_string()).json()).unwrap()
}
