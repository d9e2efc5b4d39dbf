//! The words for why a step will be in a cache, or not, or why that is unknown.

use cache_explain::{Build, Instructions, MatchState, MatchedStep, Matching, SlotState, UnknownReason};
use cache_keys::{Op, SourceKind};

/// The steps of a build, for the reasons of each.
pub(crate) struct Reasons<'r> {
    pub(crate) build: &'r Build,
    pub(crate) instructions: &'r Instructions,
    pub(crate) matching: &'r Matching,
}

impl Reasons<'_> {
    /// Whether a step is loaded or run: it is no source and not the end.
    pub(crate) fn is_run(&self, step: usize) -> bool {
        !matches!(self.op(step), None | Some(Op::Source(_) | Op::End))
    }

    /// Why a step is what it is.
    pub(crate) fn of(&self, step: usize, matched: &MatchedStep) -> String {
        match &matched.state {
            MatchState::Hit => self.of_hit(matched),
            MatchState::Miss => self.of_miss(step, matched),
            MatchState::Unknown(reason) => self.of_unknown(step, reason),
            _ => "it has no inputs, so it runs in every build".to_owned(),
        }
    }

    /// The position of the cache whose files of a folder are others, if the step misses because of them.
    pub(crate) fn cache_with_other_files(&self, step: usize, matched: &MatchedStep) -> Option<usize> {
        let inputs = &self.build.definition.step(step)?.inputs;
        let mut slots = matched.slots.iter().zip(inputs);
        let is_changed = slots.any(|(slot, input)| slot.state == SlotState::No && self.is_local(input.step));
        let nearest = matched.nearest.filter(|_| is_changed && matched.state == MatchState::Miss)?;
        Some(nearest.cache)
    }

    fn of_hit(&self, matched: &MatchedStep) -> String {
        if matched.slots.iter().any(|slot| slot.state == SlotState::Content) {
            return "its definition and its files are those of the cache".to_owned();
        }
        "its definition is that of the cache".to_owned()
    }

    fn of_miss(&self, step: usize, matched: &MatchedStep) -> String {
        if matched.nearest.is_none() {
            return "no cache has a step with this definition".to_owned();
        }
        let inputs = self.build.definition.step(step).into_iter().flat_map(|step| &step.inputs);
        let failing = matched.slots.iter().zip(inputs).filter(|(slot, _)| slot.state == SlotState::No);
        // What the step itself changed says more than a step below that runs.
        let mut reasons: Vec<(bool, String)> =
            failing.map(|(_, input)| self.of_slot(step, input.step)).collect();
        reasons.sort_by_key(|(follows, _)| *follows);
        match reasons.into_iter().next() {
            Some((_, reason)) => reason,
            None => "the cache knows it, and has no result of it".to_owned(),
        }
    }

    /// Why a slot does not match, and whether that follows from another step.
    fn of_slot(&self, step: usize, input: usize) -> (bool, String) {
        let matched = self.matching.steps.get(input);
        match (self.op(input), matched.map(|matched| &matched.state)) {
            _ if self.is_local(input) => (false, "its files changed".to_owned()),
            (Some(Op::Source(_)), _) if matched.is_some_and(|matched| !matched.is_reached()) => {
                (false, format!("{} is another one", self.source(input)))
            }
            (_, Some(MatchState::Miss)) => {
                (true, format!("it follows {}, which will run", self.place(input, step)))
            }
            (_, Some(MatchState::Always)) => (false, "a text in it changed".to_owned()),
            _ => (false, "it stands on another step".to_owned()),
        }
    }

    fn of_unknown(&self, step: usize, reason: &UnknownReason) -> String {
        match reason {
            UnknownReason::Runs(other) => {
                format!("the files that {} will make decide", self.place(*other, step))
            }
            UnknownReason::LayersNotRead { step: other, .. } => {
                format!(
                    "the files of {} decide, and layers with them were not read",
                    self.place(*other, step)
                )
            }
            UnknownReason::NoContext(name) if name == "context" => {
                "the folder of the build decides, and was not given".to_owned()
            }
            UnknownReason::NoContext(name) => {
                format!("the folder {name} decides, and was not given")
            }
            UnknownReason::Source(source) => {
                format!("nothing says whether {} is that of the cache", self.source(*source))
            }
            UnknownReason::SourceContent(source) => {
                format!("the files of {} decide, and no cache has them", self.source(*source))
            }
            UnknownReason::Key(other) => {
                format!("the record does not hold all of {}", self.place(*other, step))
            }
            UnknownReason::Edited(other) if *other == step => {
                "the instruction, or one that it depends on, changed after the record was written".to_owned()
            }
            UnknownReason::Edited(other) => {
                format!("{} changed after the record was written", self.place(*other, step))
            }
            UnknownReason::Content(_) => "it reads a path that does not exist".to_owned(),
            UnknownReason::TooTangled => "the caches have too many records of equal steps".to_owned(),
            _ => "it is not known".to_owned(),
        }
    }

    /// Where another step stands.
    fn place(&self, step: usize, from: usize) -> String {
        match self.instructions.line(step) {
            _ if step == from => "this step".to_owned(),
            Some(line) => format!("line {line}"),
            None => format!("step {step}"),
        }
    }

    /// What a source is, as in `the image example.com/app:1`.
    fn source(&self, step: usize) -> String {
        let Some(Op::Source(source)) = self.op(step) else { return format!("step {step}") };
        match source.kind() {
            SourceKind::Image(image) => {
                let name = image.reference.split('@').next().unwrap_or_default();
                format!("the image {name}")
            }
            SourceKind::Git(git) => format!("the repository {}", git.remote),
            _ => "what it downloads".to_owned(),
        }
    }

    fn is_local(&self, step: usize) -> bool {
        matches!(self.op(step), Some(Op::Source(source)) if matches!(source.kind(), SourceKind::Local(_)))
    }

    fn op(&self, step: usize) -> Option<&Op> {
        Some(&self.build.definition.step(step)?.op)
    }
}
