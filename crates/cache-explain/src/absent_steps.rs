//! Which steps of builds are not in the cache that they are said to have written.
//!
//! A cache that was pruned lacks steps of its build, and has no others. That of a builder with a history has steps of other builds, and
//! lacks none. Only a cache that lacks some and has others is taken for the cache of another build.

use std::collections::{HashMap, HashSet};

use crate::{BuildInputs, Cache, MatchState, MatchedOutput, MatchedStep, Matching, match_build};

/// The position of the newer cache among those that are matched.
const NEW: usize = 0;

/// The steps that the newer cache lacks of each build, if it has steps of other builds. None else.
///
/// No folders and layers are looked at, since a folder may have changed after the build. What is then unknown counts as present. The
/// older cache tells more of what images are made of.
pub(crate) fn absent_steps(
    new: &Cache<'_>,
    old: &Cache<'_>,
    builds: &[BuildInputs<'_>],
) -> Vec<HashSet<usize>> {
    let no_layers = HashMap::new();
    let caches = [new, old].map(|cache| Cache::new(cache.graph(), &no_layers));
    let matchings = builds.iter().map(|inputs| match_build(&BuildInputs::new(inputs.build), &caches, None));
    let matchings: Vec<Matching> = matchings.collect();
    let outputs = matchings.iter().flat_map(|matching| &matching.steps).flat_map(|step| &step.outputs);
    let known: HashSet<usize> = outputs.flat_map(records_in_new).collect();
    let mut steps = new.graph().records().filter(|record| record.inputs_len() > 0);
    let has_others = steps.any(|record| !known.contains(&record.position()));
    let absent = |matching: &Matching| {
        let steps = matching.steps.iter().enumerate();
        steps.filter(|(_, step)| has_others && is_absent(step)).map(|(position, _)| position).collect()
    };
    matchings.iter().map(absent).collect()
}

/// Whether the newer cache has no record of an output of a step, not even one that is reached only perhaps.
fn is_absent(step: &MatchedStep) -> bool {
    // Of sources and of steps without inputs a cache need not have records.
    let is_exported = !matches!(step.state, MatchState::Source | MatchState::End | MatchState::Always);
    is_exported && step.outputs.iter().any(|output| records_in_new(output).next().is_none())
}

fn records_in_new(output: &MatchedOutput) -> impl Iterator<Item = usize> {
    let records = output.records.iter().chain(&output.possible);
    records.filter(|record| record.cache == NEW).map(|record| record.record)
}
