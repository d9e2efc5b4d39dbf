//! The keys of all steps of a build.

use cache_keys::{Op, SourceKind};
use cache_model::{Digest, RecordDigest};

use crate::source_keys::{DiffIds, SourceKeys};
use crate::{Build, Cache};

/// The keys of a build's steps, by their positions.
pub(crate) struct BuildKeys(Vec<StepKeys>);

/// The keys of one step.
pub(crate) enum StepKeys {
    /// Of a step that is loaded or run.
    Step(Digest),
    /// Of a source that every builder resolves alike.
    Source(SourceKeys),
    /// A local folder: its key is made anew in each build, so it has no record.
    Local,
    /// The last step of a build, which only names the result.
    End,
    /// The build's record does not hold all that the key covers.
    Unknown,
}

impl BuildKeys {
    /// The keys of a build. The layers of the caches tell what its images are made of.
    pub(crate) fn of<'a>(build: &Build, caches: impl IntoIterator<Item = &'a Cache<'a>>) -> Self {
        let known = DiffIds::of(caches);
        let steps = build.definition.steps().iter().enumerate();
        let keys = steps.map(|(position, step)| match &step.op {
            Op::Source(source) if matches!(source.kind(), SourceKind::Local(_)) => StepKeys::Local,
            Op::Source(source) => StepKeys::Source(SourceKeys::of(build, position, step, source, &known)),
            Op::End => StepKeys::End,
            _ => build.key(position).map_or(StepKeys::Unknown, |key| StepKeys::Step(key.digest())),
        });
        Self(keys.collect())
    }

    /// The keys of the step at a position.
    pub(crate) fn step(&self, position: usize) -> &StepKeys {
        self.0.get(position).unwrap_or(&StepKeys::Unknown)
    }
}

impl StepKeys {
    /// The digests of the keys.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        match self {
            Self::Step(digest) => vec![*digest],
            Self::Source(source) => source.keys.iter().map(|(digest, _)| *digest).collect(),
            Self::Local | Self::End | Self::Unknown => Vec::new(),
        }
    }

    /// The digests of the records of an output.
    pub(crate) fn records(&self, output: usize) -> Vec<RecordDigest> {
        self.digests().iter().map(|digest| RecordDigest::of_output(digest, output)).collect()
    }
}
