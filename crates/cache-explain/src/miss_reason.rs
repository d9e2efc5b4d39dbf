//! Why a step missed by itself: what of its record did not match.

use cache_keys::{FileActionKind, Op, SourceKind};

use crate::keyed_build::KeyedBuild;
use crate::{CauseKind, MatchState, MatchedStep, Matching, SlotState, UnknownReason};

/// Why a step missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissReason {
    /// A step before it missed, and that is what does not match.
    Follows,
    /// A source, other than a local folder, is another one.
    Source { source: usize },
    /// A source is another one, but may have the same files: the cache does not tell.
    PossibleSource { source: usize },
    /// The cache has no record of its definition.
    Definition,
    /// The files of a local folder are others.
    Folder { input: usize },
    /// The files that a step without a line makes are others: a document in the Dockerfile, or the folder of a mount.
    Made { input: usize, kind: CauseKind },
    /// An input is in the cache, but the step did not stand on it.
    Order,
    /// Everything matches, but there is no result.
    NoResult,
}

/// What is known about the steps of a build while reasons are looked for.
pub(crate) struct MissReasons<'m> {
    pub(crate) build: &'m KeyedBuild<'m>,
    pub(crate) matching: &'m Matching,
}

impl MissReasons<'_> {
    /// Why a step missed; `None` if it did not.
    ///
    /// A step without inputs runs in every build. It missed if the cache does not know it and an instruction defines it; else
    /// what it makes is a part of the step that takes it.
    pub(crate) fn of(&self, step: usize) -> Option<MissReason> {
        let matched = self.step(step)?;
        match matched.state {
            MatchState::Always if self.is_changed_root(step) => Some(MissReason::Definition),
            MatchState::Miss if matched.nearest.is_none() => Some(self.of_unknown_key(step)),
            MatchState::Miss => Some(self.of_slots(step, matched)),
            _ => self.possible_source(step).map(|source| MissReason::PossibleSource { source }),
        }
    }

    /// The cache has no record of the step's key.
    fn of_unknown_key(&self, step: usize) -> MissReason {
        if self.inputs(step).any(|input| self.is_missed(input) || self.possible_source(input).is_some()) {
            return MissReason::Follows;
        }
        let source = self.inputs(step).find(|input| self.is_other_source(*input));
        source.map_or(MissReason::Definition, |source| MissReason::Source { source })
    }

    /// The cache has a record of the step's key, which is not reached or has no result.
    fn of_slots(&self, step: usize, matched: &MatchedStep) -> MissReason {
        let slots = matched.slots.iter().zip(self.inputs(step)).enumerate();
        let failing = slots.filter(|(_, (slot, _))| slot.state == SlotState::No);
        let failing: Vec<MissReason> =
            failing.map(|(input, (_, from))| self.of_slot(step, input, from)).collect();
        let first = |is_it: fn(&MissReason) -> bool| failing.iter().copied().find(is_it);
        first(|reason| *reason == MissReason::Follows)
            .or_else(|| first(|reason| matches!(reason, MissReason::Source { .. })))
            .or_else(|| first(|reason| *reason != MissReason::Order))
            .or_else(|| failing.first().copied())
            .unwrap_or_else(|| match self.inputs(step).any(|input| self.is_missed(input)) {
                true => MissReason::Follows,
                false => MissReason::NoResult,
            })
    }

    fn of_slot(&self, step: usize, input: usize, from: usize) -> MissReason {
        if self.is_missed(from) {
            MissReason::Follows
        } else if self.build.local_name(from).is_some() {
            MissReason::Folder { input }
        } else if self.is_keyed_source(from) && !self.is_reached(from) {
            MissReason::Source { source: from }
        } else if self.has_state(from, &MatchState::Always) && !self.is_reached(from) {
            MissReason::Made { input, kind: self.made_kind(step, from) }
        } else {
            MissReason::Order
        }
    }

    fn made_kind(&self, step: usize, made: usize) -> CauseKind {
        let op = |step: usize| self.build.step(step).map(|step| &step.op);
        let makes_files = |op: &Op| match op {
            Op::File(file) => {
                file.actions.iter().any(|action| matches!(action.kind, FileActionKind::Mkfile(_)))
            }
            _ => false,
        };
        match (op(made), op(step)) {
            (Some(made), _) if makes_files(made) => CauseKind::Inline,
            (_, Some(Op::Exec(_))) => CauseKind::Mount,
            _ => CauseKind::Instruction,
        }
    }

    /// Whether a step missed, or is one without inputs that is another one.
    fn is_missed(&self, step: usize) -> bool {
        self.has_state(step, &MatchState::Miss) || self.is_changed_root(step)
    }

    /// Whether an instruction defines a step without inputs that the cache does not know.
    fn is_changed_root(&self, step: usize) -> bool {
        self.has_state(step, &MatchState::Always)
            && !self.is_reached(step)
            && self.build.instructions.line(step).is_some()
    }

    /// The source because of which it is unknown whether a step misses.
    fn possible_source(&self, step: usize) -> Option<usize> {
        match self.step(step)?.state {
            MatchState::Unknown(UnknownReason::Source(source)) => Some(source),
            _ => None,
        }
        .filter(|source| self.is_other_source(*source))
    }

    /// Whether the cache lacks a source that has a key.
    fn is_other_source(&self, step: usize) -> bool {
        let has_key = self.step(step).is_some_and(|matched| !matched.keys.is_empty());
        has_key && self.is_keyed_source(step) && !self.is_reached(step)
    }

    fn has_state(&self, step: usize, state: &MatchState) -> bool {
        self.step(step).is_some_and(|matched| matched.state == *state)
    }

    fn is_keyed_source(&self, step: usize) -> bool {
        let op = self.build.step(step).map(|step| &step.op);
        matches!(op, Some(Op::Source(source)) if !matches!(source.kind(), SourceKind::Local(_)))
    }

    fn is_reached(&self, step: usize) -> bool {
        self.step(step).is_some_and(MatchedStep::is_reached)
    }

    fn inputs(&self, step: usize) -> impl Iterator<Item = usize> {
        self.build.step(step).into_iter().flat_map(|step| step.inputs.iter().map(|input| input.step))
    }

    fn step(&self, step: usize) -> Option<&MatchedStep> {
        self.matching.steps.get(step)
    }
}
