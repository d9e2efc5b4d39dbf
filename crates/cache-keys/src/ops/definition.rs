//! The steps of a build, each after its inputs.

use crate::ops::step::{Step, StepOutput};

/// The steps of a build in an order in which each comes after its inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    steps: Vec<Step>,
    takers: Vec<Vec<StepInput>>,
}

/// One input of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepInput {
    /// The position of the step.
    pub step: usize,
    /// The position of the input in the step.
    pub input: usize,
}

/// An input of a step that does not name an earlier step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step} takes an output of step {input}, which does not come before it")]
pub struct DefinitionError {
    /// The position of the step.
    pub step: usize,
    /// The position that its input names.
    pub input: usize,
}

impl Definition {
    /// A definition of these steps.
    ///
    /// # Errors
    /// [`DefinitionError`] if an input names the step itself, a later step, or none.
    pub fn new(steps: Vec<Step>) -> Result<Self, DefinitionError> {
        let mut takers = vec![Vec::new(); steps.len()];
        for (position, step) in steps.iter().enumerate() {
            for (input, from) in step.inputs.iter().enumerate() {
                let known = takers.get_mut(from.step).filter(|_| from.step < position);
                let list = known.ok_or(DefinitionError { step: position, input: from.step })?;
                list.push(StepInput { step: position, input });
            }
        }
        Ok(Self { steps, takers })
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step at a position.
    pub fn step(&self, position: usize) -> Option<&Step> {
        self.steps.get(position)
    }

    /// The inputs that take an output of a step, in the order of their steps.
    pub fn takers(&self, position: usize) -> &[StepInput] {
        self.takers.get(position).map(Vec::as_slice).unwrap_or_default()
    }

    /// The outputs of a step that something takes, in ascending order. A builder makes a record for each of them.
    pub fn outputs(&self, position: usize) -> Vec<usize> {
        let taken = self.takers(position).iter().filter_map(|taker| self.input(*taker));
        let mut outputs: Vec<usize> = taken.map(|from| from.output).collect();
        outputs.sort_unstable();
        outputs.dedup();
        outputs
    }

    /// What an input takes.
    pub fn input(&self, input: StepInput) -> Option<StepOutput> {
        self.step(input.step)?.inputs.get(input.input).copied()
    }
}
