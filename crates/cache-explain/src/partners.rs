//! Which step of an older build a changed step was.

use std::collections::{HashMap, HashSet};

use cache_keys::Op;
use cache_model::Digest;

use crate::definition_change::by_name;
use crate::keyed_build::KeyedBuild;

/// How many older steps are compared with a changed one: those nearest in the order of the steps.
const MOST_COMPARED: usize = 64;
/// What a field that one of two steps lacks adds to their distance; one that differs adds less.
const WHOLE_FIELD: usize = 1000;

/// How far two steps are from each other: in their definitions, their inputs, their lines.
type Distance = (usize, usize, usize);

/// What has to be equal in a step and the one that it was: the kind, and the keyword of the instruction.
type StepSort<'b> = (u8, Option<&'b str>);

/// Pairs each of some steps with the older step that it was, if there is one: of the same kind and keyword, with a definition
/// that no new step has, and nearest to it. No older step is taken twice.
pub(crate) fn partners(old: &KeyedBuild<'_>, new: &KeyedBuild<'_>, steps: &[usize]) -> Vec<Option<usize>> {
    let gone = gone_steps(old, new);
    let mut pairs: Vec<(Distance, usize, usize)> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let alike = gone.get(&sort_of(new, *step)).map(Vec::as_slice).unwrap_or_default();
        let candidates = nearest_in_order(alike, *step).iter();
        pairs.extend(
            candidates.map(|candidate| (distance(old, *candidate, new, *step), position, *candidate)),
        );
    }
    pairs.sort_unstable();
    let mut found = vec![None; steps.len()];
    let mut taken = HashSet::new();
    for (_, position, candidate) in pairs {
        if let Some(found) = found.get_mut(position).filter(|found| found.is_none())
            && taken.insert(candidate)
        {
            *found = Some(candidate);
        }
    }
    found
}

/// The older steps whose definitions no new step has, in order.
fn gone_steps<'b>(old: &'b KeyedBuild<'_>, new: &KeyedBuild<'_>) -> HashMap<StepSort<'b>, Vec<usize>> {
    let kept: HashSet<Digest> =
        (0..new.definition().steps().len()).filter_map(|step| new.key(step)).collect();
    let mut gone: HashMap<_, Vec<usize>> = HashMap::new();
    for step in 0..old.definition().steps().len() {
        if old.key(step).is_some_and(|key| !kept.contains(&key)) {
            gone.entry(sort_of(old, step)).or_default().push(step);
        }
    }
    gone
}

fn sort_of<'b>(build: &'b KeyedBuild<'_>, step: usize) -> StepSort<'b> {
    let kind = match build.step(step).map(|step| &step.op) {
        Some(Op::Exec(_)) => 0,
        Some(Op::File(_)) => 1,
        Some(Op::Merge(_)) => 2,
        Some(Op::Diff(_)) => 3,
        _ => 4,
    };
    (kind, build.instructions.keyword(step))
}

/// Of steps in order those around a position.
fn nearest_in_order(steps: &[usize], position: usize) -> &[usize] {
    let at = steps.partition_point(|step| *step < position);
    let start = at.saturating_sub(MOST_COMPARED / 2).min(steps.len().saturating_sub(MOST_COMPARED));
    steps.get(start..steps.len().min(start + MOST_COMPARED)).unwrap_or_default()
}

fn distance(old: &KeyedBuild<'_>, candidate: usize, new: &KeyedBuild<'_>, step: usize) -> Distance {
    let inputs = |build: &KeyedBuild<'_>, step: usize| -> Vec<Option<Digest>> {
        build
            .step(step)
            .map(|step| step.inputs.iter().map(|input| build.key(input.step)).collect())
            .unwrap_or_default()
    };
    let (old_inputs, new_inputs) = (inputs(old, candidate), inputs(new, step));
    let different = old_inputs.iter().zip(&new_inputs).filter(|(old, new)| old != new).count();
    let different = different + old_inputs.len().abs_diff(new_inputs.len());
    let line = |line: Option<usize>| line.unwrap_or_default();
    let lines = line(old.instructions.line(candidate)).abs_diff(line(new.instructions.line(step)));
    (fields_distance(old.fields(candidate), new.fields(step)), different, lines)
}

/// How far two lists of fields are from each other.
fn fields_distance(old: &[(String, String)], new: &[(String, String)]) -> usize {
    let (old, new) = (by_name(old), by_name(new));
    let changed = new.iter().map(|(name, new)| match old.get(name) {
        Some(old) if old == new => 0,
        Some(old) => text_distance(old.as_bytes(), new.as_bytes()),
        None => WHOLE_FIELD,
    });
    let gone = old.keys().filter(|name| !new.contains_key(*name)).count();
    changed.sum::<usize>() + gone * WHOLE_FIELD
}

/// How much of two different texts is not their common start and end: at least 1, less than a whole field.
fn text_distance(old: &[u8], new: &[u8]) -> usize {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let longest = old.len().max(new.len()).max(1);
    let common = (start + end) * (WHOLE_FIELD - 2) / longest;
    WHOLE_FIELD - 1 - common
}
