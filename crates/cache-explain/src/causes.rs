//! The first causes of a build's misses, each with what is known about it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use cache_keys::{FileAction, FileActionKind, ImageSource, Op, SourceKind, SourceOp, Tree, normalized};
use cache_model::{Digest, Platform, RecordDigest};

use crate::content_files::{ReadInput, compare_files};
use crate::definition_change::{StepOf, definition_change};
use crate::following::followers;
use crate::keyed_build::KeyedBuild;
use crate::miss_reason::{MissReason, MissReasons};
use crate::partners::partners;
use crate::placing::Placing;
use crate::step_layer::StepLayer;
use crate::{Cache, Cause, CauseKind, IgnoreChange, MatchState, StepPlace};

/// The platforms for which images are usually made.
const USUAL_PLATFORMS: [&str; 9] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
];

/// What the causes of one build are found from.
pub(crate) struct Causes<'s> {
    /// The position of the build among those that are explained.
    pub(crate) position: usize,
    /// Whether other builds are explained with it.
    pub(crate) has_others: bool,
    pub(crate) reasons: &'s MissReasons<'s>,
    pub(crate) old: &'s [KeyedBuild<'s>],
    pub(crate) old_cache: &'s Cache<'s>,
    /// The older build's folders, where its record is not known.
    pub(crate) old_contexts: &'s BTreeMap<String, &'s Tree>,
    /// The records of the build in its own cache.
    pub(crate) made: Option<(&'s Placing<'s>, &'s Cache<'s>)>,
    /// The layers that copies made, in both caches, once they were asked for.
    pub(crate) copies: OnceCell<HashSet<Digest>>,
    /// Layers that have to be read to know more.
    pub(crate) wanted: Vec<Digest>,
}

/// A step that missed by itself, or a source that is another one.
#[derive(Clone, Copy)]
struct FirstCause {
    step: usize,
    /// The first step that missed because of it: the step itself, if it is no source.
    missed: usize,
    reason: MissReason,
}

impl<'s> Causes<'s> {
    /// The causes in the order of the steps that missed because of them.
    pub(crate) fn find(&mut self) -> Vec<Cause> {
        let firsts = self.firsts();
        let mut causes: Vec<Cause> = firsts.iter().map(|first| self.cause(first)).collect();
        self.describe_definitions(&firsts, &mut causes);
        self.count_followers(&firsts, &mut causes);
        let runs_anyway = |cause: &Cause| self.state(cause.at.step) == Some(&MatchState::Always);
        causes.retain(|cause| !(runs_anyway(cause) && cause.follow + cause.may_follow == 0));
        causes
    }

    /// Where a step stands.
    pub(crate) fn place(&self, step: usize) -> StepPlace {
        let build = self.build();
        let target = build.build().target.as_ref().unwrap_or(&build.build().platform);
        StepPlace {
            build: self.position,
            platform: self.has_others.then(|| target.to_string()),
            step,
            line: build.instructions.line(step),
            instruction: build.instructions.text(step).map(str::to_owned),
        }
    }

    fn build(&self) -> &'s KeyedBuild<'s> {
        self.reasons.build
    }

    fn state(&self, step: usize) -> Option<&'s MatchState> {
        self.reasons.matching.steps.get(step).map(|matched| &matched.state)
    }

    /// The steps that missed by themselves. A source is one cause, however many steps take it.
    fn firsts(&self) -> Vec<FirstCause> {
        let mut sources = HashSet::new();
        let steps = 0..self.reasons.matching.steps.len();
        let first = |missed: usize| {
            let reason = self.reasons.of(missed)?;
            match reason {
                MissReason::Follows => None,
                MissReason::Source { source: step } | MissReason::PossibleSource { source: step } => {
                    sources.insert(step).then_some(FirstCause { step, missed, reason })
                }
                _ => Some(FirstCause { step: missed, missed, reason }),
            }
        };
        steps.filter_map(first).collect()
    }

    fn cause(&mut self, first: &FirstCause) -> Cause {
        let kind = match first.reason {
            MissReason::Source { .. } | MissReason::PossibleSource { .. } => self.source_kind(first.step),
            MissReason::Folder { .. } => CauseKind::Content,
            MissReason::Made { kind, .. } => kind,
            MissReason::Order => CauseKind::Order,
            MissReason::NoResult => CauseKind::NoResult,
            MissReason::Definition | MissReason::Follows => CauseKind::Definition,
        };
        let mut at = self.place(first.step);
        if at.line.is_none() {
            let StepPlace { line, instruction, .. } = self.place(first.missed);
            (at.line, at.instruction) = (line, instruction);
        }
        let mut cause = Cause {
            kind,
            is_certain: !matches!(first.reason, MissReason::PossibleSource { .. }),
            at,
            follow: 0,
            may_follow: 0,
            files: None,
            files_unknown: None,
            changes: Vec::new(),
            declared: None,
            ignore: None,
            lost: None,
        };
        if let MissReason::Folder { input } | MissReason::Made { input, .. } = first.reason {
            self.describe_content(first.step, input, &mut cause);
        }
        cause
    }

    /// What is different about the files that a step reads.
    fn describe_content(&mut self, step: usize, input: usize, cause: &mut Cause) {
        let new = self.build();
        let key = new.key(step);
        // Without its record the older step is taken to be as the newer one, since it has the same key.
        let known = key.and_then(|key| self.old.iter().find_map(|old| Some((old, old.step_of_key(&key)?))));
        let (old, old_step) = known.unwrap_or((new, step));
        let contexts = known.map_or(self.old_contexts, |(old, _)| &old.inputs.contexts);
        let (old_layers, new_layers) = (self.old_layers(step), self.new_layers(step));
        let (old_layer, new_layer) = (old_layers.first().copied(), new_layers.first().copied());
        let (old_below, new_below) = (self.copies_below(&old_layers), self.copies_below(&new_layers));
        let old_input =
            ReadInput { build: old, contexts, step: old_step, input, layer: old_layer, below: &old_below };
        let contexts = &new.inputs.contexts;
        let new_input = ReadInput { build: new, contexts, step, input, layer: new_layer, below: &new_below };
        let compared = compare_files(old_input, new_input);
        self.wanted.extend(compared.wanted);
        cause.files = compared.files;
        cause.files_unknown = compared.unknown;
        cause.ignore = ignore_change(old_input, new_input);
    }

    /// The layers of the older step, the highest first: of the nearest record, or of another one of its key that has a result.
    fn old_layers(&self, step: usize) -> Vec<StepLayer<'s>> {
        let nearest = self.reasons.matching.steps.get(step).and_then(|matched| matched.nearest);
        let Some(nearest) = nearest.and_then(|nearest| self.old_cache.graph().at(nearest.record)) else {
            return Vec::new();
        };
        let layers = StepLayer::stack(self.old_cache, [nearest]);
        if layers.is_empty() {
            return StepLayer::stack(
                self.old_cache,
                self.old_cache.records(nearest.digest()).iter().copied(),
            );
        }
        layers
    }

    fn new_layers(&self, step: usize) -> Vec<StepLayer<'s>> {
        self.made.map(|(made, cache)| StepLayer::stack(cache, made.step(step))).unwrap_or_default()
    }

    /// Those of a step's layers below its own that copies made.
    fn copies_below(&self, layers: &[StepLayer<'s>]) -> Vec<StepLayer<'s>> {
        let copies = self.copies.get_or_init(|| self.copied_layers());
        layers.iter().skip(1).filter(|layer| copies.contains(&layer.digest)).copied().collect()
    }

    /// The layers that copies made, in both caches.
    fn copied_layers(&self) -> HashSet<Digest> {
        let mut layers = HashSet::new();
        for (step, matched) in self.reasons.matching.steps.iter().enumerate() {
            let is_copy = |action: &FileAction| matches!(action.kind, FileActionKind::Copy(_));
            let op = self.build().step(step).map(|step| &step.op);
            if !matches!(op, Some(Op::File(file)) if file.actions.iter().any(is_copy)) {
                continue;
            }
            let reached = matched.outputs.iter().flat_map(|output| &output.records);
            let records = reached.filter_map(|reached| self.old_cache.graph().at(reached.record));
            layers.extend(StepLayer::top(self.old_cache, records).map(|layer| layer.digest));
            let made = self.made.and_then(|(made, cache)| StepLayer::top(cache, made.step(step)));
            layers.extend(made.map(|layer| layer.digest));
        }
        layers
    }

    /// Says of steps with new definitions what they were.
    fn describe_definitions(&self, firsts: &[FirstCause], causes: &mut [Cause]) {
        let target = self.build().build().target.as_ref();
        let same_target = self.old.iter().find(|old| old.build().target.as_ref() == target);
        let Some(old) = same_target.or(self.old.first()) else { return };
        let is_defined = |first: &&FirstCause| first.reason == MissReason::Definition;
        let steps: Vec<usize> = firsts.iter().filter(is_defined).map(|first| first.step).collect();
        let partners = partners(old, self.build(), &steps);
        let defined =
            firsts.iter().zip(causes).filter(|(first, _)| is_defined(first)).map(|(_, cause)| cause);
        for ((step, partner), cause) in steps.iter().zip(partners).zip(defined) {
            let is_kept = self.build().key(*step).is_some_and(|key| old.step_of_key(&key).is_some());
            match partner {
                // The older build had the step, but the cache lacks its record.
                _ if is_kept => cause.kind = CauseKind::NoResult,
                None => cause.kind = CauseKind::NewStep,
                Some(partner) => {
                    let new = StepOf { build: self.build(), step: *step };
                    let change = definition_change(StepOf { build: old, step: partner }, new);
                    cause.kind = change.kind;
                    cause.changes = change.changes;
                    cause.declared = change.declared;
                }
            }
        }
    }

    fn count_followers(&self, firsts: &[FirstCause], causes: &mut [Cause]) {
        let definition = self.build().definition().steps().iter();
        let inputs: Vec<Vec<usize>> =
            definition.map(|step| step.inputs.iter().map(|input| input.step).collect()).collect();
        let steps: Vec<usize> = firsts.iter().map(|first| first.step).collect();
        let missed = |step: usize| self.state(step) == Some(&MatchState::Miss);
        let may_miss = |step: usize| missed(step) || matches!(self.state(step), Some(MatchState::Unknown(_)));
        let durations = &self.build().build().durations;
        let ran = |step: usize| durations.get(&step).copied().unwrap_or_default();
        let certain = followers(&inputs, &steps, missed, ran);
        let possible = followers(&inputs, &steps, may_miss, ran);
        for (cause, (certain, possible)) in causes.iter_mut().zip(certain.iter().zip(possible)) {
            cause.follow = certain.count;
            cause.may_follow = possible.count - certain.count;
            cause.lost = (!durations.is_empty()).then(|| certain.ran.saturating_add(ran(cause.at.step)));
        }
    }

    fn source_kind(&self, step: usize) -> CauseKind {
        let Some(Op::Source(source)) = self.build().step(step).map(|step| &step.op) else {
            return CauseKind::Source;
        };
        match source.kind() {
            SourceKind::Image(image) if self.is_other_platform(step, source, image) => CauseKind::Platform,
            SourceKind::Image(_) => CauseKind::Base,
            _ => CauseKind::Source,
        }
    }

    /// Whether the older build took the same image for another platform. Without its record, the cache is asked for the keys that
    /// the image has for the usual platforms.
    fn is_other_platform(&self, step: usize, source: &SourceOp, image: ImageSource<'_>) -> bool {
        let own = normalized(self.build().platform(step));
        if self.old.is_empty() {
            let Some(digest) = image.digest() else { return false };
            let platforms = USUAL_PLATFORMS.iter().filter_map(|platform| platform.parse::<Platform>().ok());
            let mut keys = platforms.map(|platform| image.manifest_key(&digest, &platform));
            return keys.any(|key| !self.old_cache.records(&RecordDigest::of_output(key, 0)).is_empty());
        }
        let mut platforms = self.old.iter().flat_map(|old| old.platforms_of(&source.identifier)).peekable();
        platforms.peek().is_some() && platforms.all(|platform| normalized(platform) != own)
    }
}

/// How the patterns differ that leave out files of a folder.
fn ignore_change(old: ReadInput<'_>, new: ReadInput<'_>) -> Option<IgnoreChange> {
    let (old, new) = (old.excluded()?, new.excluded()?);
    let only = |of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|pattern| !other.contains(pattern)).cloned().collect()
    };
    let change = IgnoreChange { removed: only(old, new), added: only(new, old) };
    (old != new).then_some(change)
}
