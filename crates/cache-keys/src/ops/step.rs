//! One step of a build, its key, and what it says about its inputs.

use cache_model::Platform;

use crate::ops::dep::Dep;
use crate::ops::exec::ExecOp;
use crate::ops::file::FileOp;
use crate::ops::merge::{DiffOp, MergeOp};
use crate::ops::source::SourceOp;
use crate::ops::step_key::{NoKey, StepKey};

/// One operation of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What the step does.
    pub op: Op,
    /// The platform that the step names. Without one a builder takes its own.
    pub platform: Option<Platform>,
    /// The outputs of earlier steps that it takes.
    pub inputs: Vec<StepOutput>,
}

/// One output of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepOutput {
    /// The position of the step in its definition.
    pub step: usize,
    /// The position of the output in the step, nearly always 0.
    pub output: usize,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Runs a command.
    Exec(Box<ExecOp>),
    /// Copies, makes and removes files.
    File(FileOp),
    /// Fetches an image, a repository, a file or a local folder.
    Source(SourceOp),
    /// Lays its inputs on one another.
    Merge(MergeOp),
    /// Takes what one input adds to another.
    Diff(DiffOp),
    /// Nothing: the last step of a definition, whose input is the result of the build.
    End,
    /// An operation that is not fully known.
    Unknown(NoKey),
}

impl Step {
    /// The key of the step, without its inputs. `builder` is the platform that counts where the step names none.
    ///
    /// # Errors
    /// [`NoKey`] if the key cannot be computed. The keys of a source follow from what it resolves to: see
    /// [`SourceOp::kind`].
    pub fn key(&self, builder: &Platform) -> Result<StepKey, NoKey> {
        let platform = self.platform.as_ref().unwrap_or(builder);
        match &self.op {
            Op::Exec(op) => Ok(StepKey::of(op.hashed(platform))),
            Op::File(op) => Ok(StepKey::of(op.hashed(self.inputs.len())?)),
            Op::Merge(op) => Ok(StepKey::of(op.hashed())),
            Op::Diff(op) => Ok(StepKey::of(op.hashed())),
            Op::Source(_) => Err(NoKey::Source),
            Op::End => Err(NoKey::End),
            Op::Unknown(reason) => Err(reason.clone()),
        }
    }

    /// What the key says about each input, in order.
    pub fn deps(&self) -> Vec<Dep> {
        let count = self.inputs.len();
        match &self.op {
            Op::Exec(op) => op.deps(count),
            Op::File(op) => op.deps(count),
            _ => vec![Dep::default(); count],
        }
    }
}
