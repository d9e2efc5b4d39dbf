//! Explains why steps of a build were not in an older cache.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use cache_keys::Tree;

use crate::build_keys::BuildKeys;
use crate::causes::Causes;
use crate::keyed_build::KeyedBuild;
use crate::miss_reason::MissReasons;
use crate::not_reproducible::Runs;
use crate::placing::Placing;
use crate::work::Work;
use crate::{
    BuildInputs, Cache, ExplainedStep, Explanation, MatchState, Matching, Note, NoteKind, StepOutcome,
    match_build,
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
        explanation.steps.extend(steps(&causes, &matching));
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

fn steps(causes: &Causes<'_>, matching: &Matching) -> Vec<ExplainedStep> {
    let outcome = |state: &MatchState| match state {
        MatchState::Hit => Some(StepOutcome::Cached),
        MatchState::Miss => Some(StepOutcome::Ran),
        MatchState::Always => Some(StepOutcome::Always),
        MatchState::Unknown(_) => Some(StepOutcome::Unknown),
        MatchState::Source | MatchState::End => None,
    };
    let steps = matching.steps.iter().enumerate();
    let explained = steps.filter_map(|(step, matched)| {
        Some(ExplainedStep { at: causes.place(step), outcome: outcome(&matched.state)? })
    });
    explained.collect()
}
