//! Laws of merging.

use cache_edit::{Coherence, MergeOptions};
use cache_model::Rule;
use proptest::prelude::*;

use crate::support::{
    has_one_number_of_inputs, load, load_all, merged, of_reference, options, read_all, sources, worlds,
    written_chains,
};

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
        if let Some(first) = merged(&load_all(&caches), options) {
            prop_assume!(has_one_number_of_inputs(&first.chains.graph().unwrap()));
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
}
