//! Matches a build with caches as BuildKit's solver would, step by step.

use cache_keys::StepOutput;
use cache_model::{LinkRef, RecordDigest, RecordRef};

use crate::build_keys::{BuildKeys, StepKeys};
use crate::input_contents::{InputContents, newest};
use crate::needs::spare_unneeded;
use crate::placing::Placing;
use crate::slots::Slot;
use crate::source_keys::SourceKeys;
use crate::work::Work;
use crate::{
    BuildInputs, Cache, InputContent, MatchState, MatchedOutput, MatchedSlot, MatchedStep, Matching,
    ReachedRecord, SlotState, UnknownReason,
};

/// Matches a build with older caches.
///
/// A record is reached if its digest is that of the step and each of its slots has a link with the step's selector to a record that
/// the input reaches, or a link to the content that the input has now. Links do not lead from one cache to another, so a record is
/// reached within one cache. But any cache may hold the files of an input, and a result in any of them is a hit (BuildKit's
/// `solver/combinedcache.go`).
///
/// With `new`, the cache that this build wrote, contents come from its records, and nothing is unknown. Without it the build is
/// predicted: what only building tells is [`MatchState::Unknown`].
pub fn match_build(inputs: &BuildInputs<'_>, old: &[Cache<'_>], new: Option<&Cache<'_>>) -> Matching {
    let keys = BuildKeys::of(inputs.build, old.iter().chain(new));
    let mut work = Work::new();
    let made = new.map(|new| Placing::new(inputs.build, &keys, new, &mut work));
    let contents = InputContents::new(inputs, old, made);
    let mut matcher = Matcher { inputs, keys, old, contents, work, reached: Vec::new(), steps: Vec::new() };
    for position in 0..inputs.build.definition.steps().len() {
        matcher.match_step(position);
    }
    spare_unneeded(inputs.build, &mut matcher.steps);
    Matching { steps: matcher.steps }
}

struct Matcher<'m, 'a> {
    inputs: &'m BuildInputs<'m>,
    keys: BuildKeys,
    old: &'m [Cache<'a>],
    contents: InputContents<'m, 'a>,
    work: Work,
    /// What each step reaches beside the records in its outputs, if that is not known.
    reached: Vec<Beyond>,
    steps: Vec<MatchedStep>,
}

/// Which further records a step may reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    None,
    /// Any root: a key of the source is not known.
    Roots,
    /// Any record: the key of the step is not known.
    All,
}

/// How a slot of a record matches, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Definition,
    Content,
    /// It matches if what is unknown is right.
    Possible,
    No,
}

/// The records of a step's key while they are compared.
struct Comparison<'s> {
    step: usize,
    slots: &'s [Slot],
    /// By slot; `None` while it was not needed.
    contents: Vec<Option<InputContent>>,
    /// The record of which most slots match, and how they match.
    nearest: Option<(ReachedRecord, Vec<Fit>)>,
}

impl<'m, 'a> Matcher<'m, 'a> {
    fn match_step(&mut self, position: usize) {
        let definition = &self.inputs.build.definition;
        let Some(step) = definition.step(position) else { return };
        let outputs = definition.outputs(position);
        let slots = Slot::of(self.inputs.build, step);
        let (matched, beyond) = match self.keys.step(position) {
            _ if self.inputs.edited.contains(&position) => {
                let state = MatchState::Unknown(UnknownReason::Edited(position));
                let unmatched = self.unmatched(position, &slots, Vec::new(), state);
                (MatchedStep { keys: Vec::new(), ..unmatched }, Beyond::All)
            }
            StepKeys::Step(_) => self.match_records(position, &slots, &outputs),
            StepKeys::Source(keys) => {
                let made = self.contents.source_records(position);
                let is_complete = keys.is_complete || !made.is_empty();
                let beyond = if is_complete { Beyond::None } else { Beyond::Roots };
                let outputs = reach_source(self.old, keys, &made, &outputs, &mut self.work);
                (self.unmatched(position, &slots, outputs, MatchState::Source), beyond)
            }
            StepKeys::Local => {
                (self.unmatched(position, &slots, Vec::new(), MatchState::Source), Beyond::None)
            }
            StepKeys::End => (self.unmatched(position, &slots, Vec::new(), MatchState::End), Beyond::None),
            StepKeys::Unknown => {
                let state = MatchState::Unknown(UnknownReason::Key(position));
                (self.unmatched(position, &slots, Vec::new(), state), Beyond::All)
            }
        };
        self.steps.push(matched);
        self.reached.push(beyond);
    }

    /// A step that is compared with no record.
    fn unmatched(
        &self,
        position: usize,
        slots: &[Slot],
        outputs: Vec<MatchedOutput>,
        state: MatchState,
    ) -> MatchedStep {
        let slot = |slot: &Slot| MatchedSlot {
            state: SlotState::NoRecord,
            content: slot.content.as_ref().map_or(InputContent::Ignored, |_| InputContent::NotNeeded),
        };
        let keys = self.keys.step(position).digests();
        MatchedStep { state, keys, nearest: None, outputs, slots: slots.iter().map(slot).collect() }
    }

    /// Compares a step with the records of its key.
    fn match_records(&mut self, position: usize, slots: &[Slot], outputs: &[usize]) -> (MatchedStep, Beyond) {
        let keys = self.keys.step(position);
        let digests: Vec<_> = outputs.iter().flat_map(|output| keys.records(*output)).collect();
        let contents = self.contents.made(position, slots);
        let mut comparison = Comparison { step: position, slots, contents, nearest: None };
        self.note_linked_contents(&mut comparison, &digests);
        let mut matched = Vec::new();
        for (output, digest) in outputs.iter().zip(&digests) {
            matched.push(self.compare(&mut comparison, *output, digest));
        }
        if !self.work.take(1) {
            let state = MatchState::Unknown(UnknownReason::TooTangled);
            return (self.unmatched(position, slots, Vec::new(), state), Beyond::All);
        }
        let state = if slots.is_empty() { MatchState::Always } else { self.state(&comparison, &matched) };
        let keys = self.keys.step(position).digests();
        let nearest = comparison.nearest.as_ref().map(|(record, _)| *record);
        let slots = self.slots(&comparison);
        (MatchedStep { state, keys, nearest, outputs: matched, slots }, Beyond::None)
    }

    /// Compares a step with the records of one output.
    fn compare(
        &mut self,
        comparison: &mut Comparison<'_>,
        output: usize,
        digest: &RecordDigest,
    ) -> MatchedOutput {
        let mut matched = MatchedOutput { output, records: Vec::new(), possible: Vec::new() };
        let old = self.old;
        for (cache, old) in old.iter().enumerate() {
            for record in old.records(digest) {
                if !self.work.take(1) {
                    return matched;
                }
                if record.inputs_len() < comparison.slots.len() {
                    continue;
                }
                let reached = ReachedRecord { cache, record: record.position() };
                let fits = self.fits(comparison, cache, *record);
                match fits.iter().max() {
                    None | Some(Fit::Definition | Fit::Content) => matched.records.push(reached),
                    Some(Fit::Possible) => matched.possible.push(reached),
                    Some(Fit::No) => {}
                }
                comparison.keep_nearest(reached, fits);
            }
        }
        matched
    }

    fn fits(&mut self, comparison: &mut Comparison<'_>, cache: usize, record: RecordRef<'a>) -> Vec<Fit> {
        let mut fits = Vec::with_capacity(comparison.slots.len());
        for (input, (slot, links)) in comparison.slots.iter().zip(record.inputs()).enumerate() {
            let mut fit = Fit::Possible;
            if self.work.take(links.len()) {
                let links: Vec<LinkRef<'a>> = links.collect();
                fit = self.definition_fit(slot, cache, &links);
                if fit != Fit::Definition {
                    fit = fit.min(self.content_fit(comparison, input, slot, &links));
                }
            }
            fits.push(fit);
        }
        fits
    }

    /// Whether a link leads to the content that the input has now.
    fn content_fit(
        &mut self,
        comparison: &mut Comparison<'_>,
        input: usize,
        slot: &Slot,
        links: &[LinkRef<'a>],
    ) -> Fit {
        let (Some(rule), Some(content)) = (&slot.content, comparison.contents.get_mut(input)) else {
            return Fit::No;
        };
        let mut contents = links.iter().filter(|link| slot.is_content(**link)).peekable();
        if contents.peek().is_none() {
            return Fit::No;
        }
        match content
            .get_or_insert_with(|| self.contents.content(&self.steps, comparison.step, slot.input, rule))
        {
            InputContent::Known(known) if contents.any(|link| known.contains(link.source.digest())) => {
                Fit::Content
            }
            InputContent::Unknown(_) => Fit::Possible,
            _ => Fit::No,
        }
    }

    /// Whether a link leads to a record that the input reaches.
    fn definition_fit(&self, slot: &Slot, cache: usize, links: &[LinkRef<'a>]) -> Fit {
        let beyond = self.reached.get(slot.input.step).copied().unwrap_or(Beyond::None);
        let reached = self.output(slot.input);
        let mut best = Fit::No;
        for link in links.iter().filter(|link| slot.is_definition(**link)) {
            let source = ReachedRecord { cache, record: link.source.position() };
            let is_in = |records: &[ReachedRecord]| records.binary_search(&source).is_ok();
            if reached.is_some_and(|output| is_in(&output.records)) {
                return Fit::Definition;
            }
            let is_possible = reached.is_some_and(|output| is_in(&output.possible))
                || match beyond {
                    Beyond::None => false,
                    Beyond::Roots => link.source.inputs_len() == 0,
                    Beyond::All => true,
                };
            if is_possible {
                best = Fit::Possible;
            }
        }
        best
    }

    fn output(&self, output: StepOutput) -> Option<&MatchedOutput> {
        self.steps.get(output.step)?.outputs.iter().find(|matched| matched.output == output.output)
    }

    /// Takes contents from slots whose definition matches: the content that such a slot has is that of its input.
    fn note_linked_contents(&mut self, comparison: &mut Comparison<'_>, digests: &[RecordDigest]) {
        let old = self.old;
        let records = old.iter().enumerate().flat_map(|(cache, old)| {
            digests.iter().flat_map(|digest| old.records(digest)).map(move |record| (cache, *record))
        });
        for (cache, record) in records {
            if !self.work.take(1) {
                return;
            }
            let slots = comparison.slots.iter().zip(&mut comparison.contents);
            for ((slot, content), links) in slots.zip(record.inputs()) {
                if slot.content.is_none() || content.is_some() || !self.work.take(links.len()) {
                    continue;
                }
                let links: Vec<LinkRef<'a>> = links.collect();
                let contents = links.iter().filter(|link| slot.is_content(**link));
                let known: Vec<_> = contents.map(|link| link.source.digest().clone()).collect();
                if !known.is_empty() && self.definition_fit(slot, cache, &links) == Fit::Definition {
                    *content = Some(InputContent::Known(known));
                }
            }
        }
    }

    /// The state of a step with inputs, by the records that it reaches.
    fn state(&self, comparison: &Comparison<'_>, outputs: &[MatchedOutput]) -> MatchState {
        let has_result = |records: &[ReachedRecord]| newest(self.old, records).is_some();
        let open: Vec<_> = outputs.iter().filter(|output| !has_result(&output.records)).collect();
        if open.is_empty() {
            MatchState::Hit
        } else if open.iter().all(|output| has_result(&output.possible)) {
            let nearest = comparison.nearest.iter().flat_map(|(_, fits)| fits.iter().enumerate());
            let mut possible = nearest.filter(|(_, fit)| **fit == Fit::Possible);
            let reason = possible.next().map(|(input, _)| self.reason(comparison, input));
            MatchState::Unknown(reason.unwrap_or(UnknownReason::TooTangled))
        } else {
            MatchState::Miss
        }
    }

    /// Why it is unknown whether a slot matches.
    fn reason(&self, comparison: &Comparison<'_>, input: usize) -> UnknownReason {
        let step = comparison.slots.get(input).map_or(comparison.step, |slot| slot.input.step);
        match comparison.contents.get(input) {
            // Its files would not be needed if it were known which source it is.
            Some(Some(InputContent::Unknown(UnknownReason::SourceContent(_))))
                if self.reached.get(step) == Some(&Beyond::Roots) =>
            {
                UnknownReason::Source(step)
            }
            Some(Some(InputContent::Unknown(reason))) => reason.clone(),
            _ => match self.steps.get(step).map(|step| &step.state) {
                Some(MatchState::Unknown(reason)) => reason.clone(),
                _ => UnknownReason::Source(step),
            },
        }
    }

    /// The slots of a step as they match the nearest record.
    fn slots(&self, comparison: &Comparison<'_>) -> Vec<MatchedSlot> {
        let slots = comparison.slots.iter().zip(&comparison.contents).enumerate();
        let slots = slots.map(|(input, (slot, content))| {
            let fit = comparison.nearest.as_ref().and_then(|(_, fits)| fits.get(input));
            let state = match fit {
                Some(Fit::Definition) => SlotState::Definition,
                Some(Fit::Content) => SlotState::Content,
                Some(Fit::Possible) => SlotState::Unknown(self.reason(comparison, input)),
                Some(Fit::No) => SlotState::No,
                None => SlotState::NoRecord,
            };
            let unneeded =
                if slot.content.is_some() { InputContent::NotNeeded } else { InputContent::Ignored };
            MatchedSlot { state, content: content.clone().unwrap_or(unneeded) }
        });
        slots.collect()
    }
}

impl Comparison<'_> {
    /// Keeps the record of which fewer slots do not match.
    fn keep_nearest(&mut self, record: ReachedRecord, fits: Vec<Fit>) {
        let distance = |fits: &[Fit]| {
            let count = |fit: Fit| fits.iter().filter(|known| **known == fit).count();
            (count(Fit::No), count(Fit::Possible))
        };
        if self.nearest.as_ref().is_none_or(|(_, nearest)| distance(&fits) < distance(nearest)) {
            self.nearest = Some((record, fits));
        }
    }
}

/// The records of a source's keys, and of the keys under which the new cache has it.
fn reach_source(
    old: &[Cache<'_>],
    keys: &SourceKeys,
    made: &[RecordDigest],
    outputs: &[usize],
    work: &mut Work,
) -> Vec<MatchedOutput> {
    let mut reached = Vec::new();
    for output in outputs {
        let computed = keys.keys.iter().map(|(key, _)| RecordDigest::of_output(key, *output));
        let mut digests: Vec<_> = computed.chain(made.iter().cloned()).collect();
        digests.sort_unstable();
        digests.dedup();
        let mut records = Vec::new();
        for (cache, old) in old.iter().enumerate() {
            let found = old.records_of(&digests, work).into_iter();
            records.extend(found.map(|record| ReachedRecord { cache, record: record.position() }));
        }
        reached.push(MatchedOutput { output: *output, records, possible: Vec::new() });
    }
    reached
}
