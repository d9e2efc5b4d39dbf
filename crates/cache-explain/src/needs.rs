//! Which steps of a build need not run although no cache has their results: nothing needs their files.
//!
//! A cache of BuildKit's mode `min` has the results of the last stage only. A step of an earlier stage runs if a step that takes
//! its files runs, or looks at their content. BuildKit shows any other step as cached (`solver/progress`, `VertexStream`).

use crate::{Build, MatchState, MatchedStep, SlotState, UnknownReason};

/// Whether something needs the result of a step.
#[derive(Clone)]
enum Need {
    No,
    /// If a step runs of which this is unknown.
    Unknown(UnknownReason),
    Yes,
}

/// Turns misses of steps that nothing needs into hits. Only steps that reach records are such misses: what stands on another step
/// cannot match without its files.
pub(crate) fn spare_unneeded(build: &Build, steps: &mut [MatchedStep]) {
    let mut needs = vec![Need::No; steps.len()];
    if let Some(last) = needs.last_mut() {
        *last = Need::Yes;
    }
    for position in (0..steps.len()).rev() {
        let (Some(step), Some(definition)) = (steps.get_mut(position), build.definition.step(position))
        else {
            continue;
        };
        let need = needs.get(position).cloned().unwrap_or(Need::No);
        if matches!(step.state, MatchState::Miss) && step.is_reached() {
            match &need {
                Need::No => step.state = MatchState::Hit,
                Need::Unknown(reason) => step.state = MatchState::Unknown(reason.clone()),
                Need::Yes => {}
            }
        }
        for (input, slot) in definition.inputs.iter().zip(&step.slots) {
            let needed = match (&step.state, &slot.state) {
                (MatchState::Hit, SlotState::Content) => need.clone(),
                (MatchState::Hit, _) => continue,
                (MatchState::Unknown(reason), _) if !matches!(need, Need::No) => {
                    Need::Unknown(reason.clone())
                }
                _ => need.clone(),
            };
            if let Some(known) = needs.get_mut(input.step) {
                let is_more = matches!((&*known, &needed), (Need::No, _) | (Need::Unknown(_), Need::Yes));
                if is_more {
                    *known = needed;
                }
            }
        }
    }
}
