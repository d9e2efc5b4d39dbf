//! Explains why steps of a build were not in an older cache.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use cache_keys::Tree;

use crate::absent_steps::absent_steps;
use crate::build_keys::BuildKeys;
use crate::causes::Causes;
use crate::keyed_build::KeyedBuild;
use crate::miss_reason::MissReasons;
use crate::not_reproducible::Runs;
use crate::placing::Placing;
use crate::work::Work;
use crate::{
    AbsentSteps, BuildInputs, Cache, ExplainedStep, Explanation, MatchState, Matching, Note, NoteKind,
    StepOutcome, match_build,
};

/// The newer build: what is explained.
#[derive(Clone, Copy, Debug)]
pub struct NewSide<'a> {
    /// The build, once for each platform.
    pub builds: &'a [BuildInputs<'a>],
    /// The cache that it wrote; `None` before it was made.
    pub cache: Option<&'a Cache<'a>>,
}

/// The older build: what the newer one is compared with.
#[derive(Clone, Copy, Debug)]
pub struct OldSide<'a> {
    /// The build, once for each platform; empty if its record is not known. Then it is not known either what differs in a step's
    /// definition.
    pub builds: &'a [BuildInputs<'a>],
    /// Its folders by name, where its record is not known.
    pub contexts: &'a BTreeMap<String, &'a Tree>,
    /// The cache that it wrote, or any other.
    pub cache: &'a Cache<'a>,
}

/// Explains why steps of a build are not in an older cache.
///
/// Without the newer cache the build is explained before it is made, from its folders. What only building tells is then
/// [`StepOutcome::Unknown`].
///
/// Layers that are not read leave gaps, which [`Explanation::wanted_layers`] names.
pub fn explain(new: &NewSide<'_>, old: &OldSide<'_>) -> Explanation {
    let old_builds: Vec<KeyedBuild<'_>> = old.builds.iter().map(KeyedBuild::new).collect();
    let mut explanation = Explanation::default();
    let present = HashSet::new();
    let absent = new.cache.map(|cache| absent_steps(cache, old.cache, new.builds)).unwrap_or_default();
    for (position, inputs) in new.builds.iter().enumerate() {
        let build = KeyedBuild::new(inputs).compared_with(&old_builds);
        let matching = match_build(inputs, std::slice::from_ref(old.cache), new.cache);
        let made = new.cache.map(|cache| placed(inputs, old.cache, cache));
        let reasons = MissReasons { build: &build, matching: &matching };
        let mut causes = Causes {
            position,
            has_others: new.builds.len() > 1,
            reasons: &reasons,
            old: &old_builds,
            old_cache: old.cache,
            old_contexts: old.contexts,
            made: made.as_ref().zip(new.cache),
            copies: OnceCell::new(),
            wanted: matching.wanted_layers(),
        };
        let absent = absent.get(position).unwrap_or(&present);
        explanation.steps.extend(steps(&causes, &matching, absent, &mut explanation.absent));
        explanation.causes.extend(causes.find());
        explanation.wanted_layers.append(&mut causes.wanted);
        if let Some((made, cache)) = made.as_ref().zip(new.cache) {
            let definition = build.definition();
            let runs = Runs { definition, matching: &matching, old: old.cache, new: cache, made }.compare();
            let note =
                |(step, files)| Note { kind: NoteKind::NotReproducible, at: causes.place(step), files };
            explanation.notes.extend(runs.steps.into_iter().map(note));
            explanation.wanted_for_notes.extend(runs.wanted);
        }
    }
    for wanted in [&mut explanation.wanted_layers, &mut explanation.wanted_for_notes] {
        let mut seen = HashSet::new();
        wanted.retain(|layer| seen.insert(*layer));
    }
    explanation
}

/// The records of a build in the cache that it wrote.
fn placed<'c>(inputs: &BuildInputs<'_>, old: &Cache<'_>, new: &Cache<'c>) -> Placing<'c> {
    let keys = BuildKeys::of(inputs.build, [old, new]);
    Placing::new(inputs.build, &keys, new, &mut Work::new())
}

/// The steps of a build with their outcomes. Counts those that the newer cache lacks; what stands on one of them is unknown.
fn steps(
    causes: &Causes<'_>,
    matching: &Matching,
    absent: &HashSet<usize>,
    counted: &mut AbsentSteps,
) -> Vec<ExplainedStep> {
    let mut doubtful = HashSet::new();
    let mut explained = Vec::new();
    for (step, matched) in matching.steps.iter().enumerate() {
        let Some(mut outcome) = outcome(&matched.state) else { continue };
        let is_in_old = matched.may_be_reached();
        // A step that no cache has and that did not run was not needed.
        let is_absent = absent.contains(&step) && (is_in_old || outcome == StepOutcome::Ran);
        match is_in_old {
            true => counted.in_old += usize::from(is_absent),
            false => counted.in_neither += usize::from(is_absent),
        }
        let inputs = causes.reasons.build.step(step).into_iter().flat_map(|step| &step.inputs);
        if is_absent || inputs.map(|input| input.step).any(|input| doubtful.contains(&input)) {
            doubtful.insert(step);
            if outcome == StepOutcome::Cached {
                outcome = StepOutcome::Unknown;
            }
        }
        explained.push(ExplainedStep { at: causes.place(step), outcome });
    }
    explained
}

/// What became of a step; `None` for sources.
fn outcome(state: &MatchState) -> Option<StepOutcome> {
    match state {
        MatchState::Hit => Some(StepOutcome::Cached),
        MatchState::Miss => Some(StepOutcome::Ran),
        MatchState::Always => Some(StepOutcome::Always),
        MatchState::Unknown(_) => Some(StepOutcome::Unknown),
        MatchState::Source | MatchState::End => None,
    }
}
