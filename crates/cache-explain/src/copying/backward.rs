//! From a layer to the files that its step copied.
//!
//! Some of them leave no trace: see [`Lost`]. So what is found is a guess, and the content that a key names is the proof.

mod claims;
mod copied_layer;
mod found_source;
mod headers;
mod readings;

use std::collections::BTreeSet;

use cache_keys::{FileActionKind, Tree};

use crate::content_check::compare::Comparison;
use crate::copying::actions::actions_in_order;
use crate::copying::backward::claims::Claims;
use crate::copying::backward::found_source::MOST_WORK;
use crate::copying::backward::readings::{PlacedCopy, Reading};
use crate::copying::cannot_carry_out::CannotCarryOut;

pub(crate) use copied_layer::{CopiedInput, CopiedLayer, Lost};
pub(crate) use headers::{gives_headers, to_hash};

/// The most readings of one layer that are tried.
const MOST_CHOICES: usize = 64;

/// What a layer tells of the files that its step copied.
pub(crate) struct FoundSources {
    /// What may be different in truth.
    pub(crate) lost: BTreeSet<Lost>,
    /// Whether the contents are those of the inputs.
    pub(crate) is_proven: bool,
    /// What the step cannot have written, whatever it copied.
    pub(crate) comparison: Comparison,
}

impl FoundSources {
    /// What proves more comes first, then what has fewer flaws.
    fn rank(&self) -> (bool, usize, usize) {
        (!self.is_proven, self.comparison.flaws.len(), self.lost.len())
    }
}

/// The files that the step copied: those that have the contents of the inputs, or else the most likely ones.
pub(crate) fn found_sources(copied: &CopiedLayer<'_>) -> Result<FoundSources, CannotCarryOut> {
    let copies = placed_copies(copied)?;
    let choices = choices(&copies);
    let is_clear = choices.len() == 1;
    let mut best: Option<FoundSources> = None;
    let mut lost = BTreeSet::new();
    let mut work = MOST_WORK;
    for choice in choices {
        for with_below in [false, true] {
            let claims = Claims::new(copied, &copies, &choice, with_below)?;
            if with_below && !claims.has_unchanged {
                continue;
            }
            let mut found = prove(copied, &copies, claims, &mut work);
            if !is_clear && !found.is_proven {
                found.lost.insert(Lost::Overlap);
            }
            if found.is_proven && found.comparison.flaws.is_empty() {
                return Ok(found);
            }
            lost.extend(&found.lost);
            if best.as_ref().is_none_or(|best| found.rank() < best.rank()) {
                best = Some(found);
            }
        }
    }
    // Any of the readings can be the right one.
    best.map(|best| FoundSources { lost, ..best }).ok_or(CannotCarryOut::NoSource)
}

fn placed_copies<'a>(copied: &CopiedLayer<'a>) -> Result<Vec<PlacedCopy<'a>>, CannotCarryOut> {
    let actions = actions_in_order(copied.op, copied.output, copied.inputs.len())?;
    let copies = actions.iter().map(|action| match (&action.kind, action.secondary_input) {
        (FileActionKind::Copy(copy), Some(input)) if input < copied.inputs.len() => {
            PlacedCopy::new(copy, input, copied.layer, copied.below)
        }
        _ => Err(CannotCarryOut::NoSource),
    });
    copies.collect()
}

/// Tries the headers that were lost until the contents are those of the inputs.
fn prove(
    copied: &CopiedLayer<'_>,
    copies: &[PlacedCopy<'_>],
    claims: Claims,
    work: &mut usize,
) -> FoundSources {
    let Claims { mut sources, mut lost, comparison, has_unproven, .. } = claims;
    let mut is_proven = !has_unproven;
    for (position, (source, input)) in sources.iter_mut().zip(copied.inputs).enumerate() {
        let Some(rule) = &input.rule else {
            // Nothing proves what is copied from it.
            is_proven &= !copies.iter().any(|copy| copy.input == position);
            continue;
        };
        let has_content =
            |tree: &Tree| tree.content(rule).is_ok_and(|content| input.contents.contains(&content));
        if !source.can_try_all(*work) {
            lost.insert(Lost::Modes);
        }
        is_proven &= source.settle(work, has_content);
    }
    FoundSources { lost, is_proven, comparison }
}

/// The readings of all copies to try: the most likely one of each, and then another one of one copy at a time.
fn choices<'r>(copies: &'r [PlacedCopy<'_>]) -> Vec<Vec<Option<&'r Reading>>> {
    let likely: Vec<Option<&Reading>> = copies.iter().map(|copy| copy.readings.first()).collect();
    let mut choices = vec![likely.clone()];
    for (position, copy) in copies.iter().enumerate() {
        for other in copy.readings.iter().skip(1) {
            let mut choice = likely.clone();
            if let Some(reading) = choice.get_mut(position) {
                *reading = Some(other);
            }
            choices.push(choice);
        }
    }
    choices.truncate(MOST_CHOICES);
    choices
}
