//! What `bkcache predict` answers, and how it is shown: as text and as JSON.
//!
//! The prediction itself is made by `cache-explain`. Nothing is read here.

mod json;
mod reasons;
mod text;

use cache_explain::{BuildInputs, Instructions, MatchState, Matching};

use crate::inputs::platform_of;
use reasons::Reasons;

pub(crate) use json::write_json;
pub(crate) use text::write_lines;

/// An answer, and what its reader should know of it.
pub(crate) struct Prediction {
    pub(crate) caches: Vec<PredictedCache>,
    /// In the order of the builds and of their steps, without sources.
    pub(crate) steps: Vec<PredictedStep>,
    /// What would tell more.
    pub(crate) hints: Vec<String>,
}

/// A cache that was looked into.
pub(crate) struct PredictedCache {
    pub(crate) place: String,
    pub(crate) manifest: String,
}

/// A step, and whether it will be in a cache.
pub(crate) struct PredictedStep {
    /// The platform, if there are builds of several.
    pub(crate) platform: Option<String>,
    /// Its position in the build's record.
    pub(crate) step: usize,
    pub(crate) line: Option<usize>,
    pub(crate) instruction: Option<String>,
    pub(crate) outcome: PredictedOutcome,
    pub(crate) reason: String,
    /// The position of the cache whose files are others, if it misses because of files of a folder.
    pub(crate) other_files_of: Option<usize>,
}

/// Whether a step will be in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PredictedOutcome {
    Hit,
    Miss,
    Unknown,
    /// It runs in every build.
    Always,
}

impl Prediction {
    /// How many steps have an outcome.
    pub(crate) fn count(&self, outcome: PredictedOutcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }
}

impl PredictedStep {
    /// The steps of a build. `is_one` says that there is no other build.
    pub(crate) fn all(inputs: &BuildInputs<'_>, matching: &Matching, is_one: bool) -> Vec<Self> {
        let instructions = Instructions::of(inputs.build);
        let reasons = Reasons { build: inputs.build, instructions: &instructions, matching };
        let platform = (!is_one).then(|| platform_of(inputs.build).to_string());
        let steps = matching.steps.iter().enumerate().filter_map(|(step, matched)| {
            let outcome = match matched.state {
                MatchState::Hit => PredictedOutcome::Hit,
                MatchState::Miss => PredictedOutcome::Miss,
                MatchState::Always => PredictedOutcome::Always,
                MatchState::Source | MatchState::End => return None,
                _ => PredictedOutcome::Unknown,
            };
            // What the last step and sources that are unknown do is not shown either.
            reasons.is_run(step).then(|| Self {
                platform: platform.clone(),
                step,
                line: instructions.line(step),
                instruction: instructions.text(step).map(str::to_owned),
                outcome,
                reason: reasons.of(step, matched),
                other_files_of: reasons.cache_with_other_files(step, matched),
            })
        });
        steps.collect()
    }

    /// Where it stands, as in `line 10, COPY src ./src`.
    pub(crate) fn place(&self) -> String {
        let line = self.line.map(|line| format!("line {line}"));
        let parts: Vec<String> =
            self.platform.iter().cloned().chain(line).chain(self.instruction.clone()).collect();
        if self.line.is_none() { format!("step {}", self.step) } else { parts.join(", ") }
    }
}

impl PredictedOutcome {
    /// The word in text and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Unknown => "unknown",
            Self::Always => "always",
        }
    }
}
