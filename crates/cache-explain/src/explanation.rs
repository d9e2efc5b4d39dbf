//! Why a build missed a cache, as data: its steps, the first causes with what changed, and notes.
//!
//! Nothing is worded here. Values that can be secret are marked, so that a program can hide them.

use std::fmt;
use std::time::Duration;

use cache_model::Digest;

use crate::FileChange;

/// Why steps of a build were not in an older cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The steps that BuildKit would load or run, in the order of the build's definition: no sources.
    pub steps: Vec<ExplainedStep>,
    /// The first causes, in the order of the steps. Every other step that missed follows from one of them.
    pub causes: Vec<Cause>,
    /// What is worth knowing, though no step missed because of it.
    pub notes: Vec<Note>,
    /// Layers that have to be read as trees to know more of the causes, in either cache.
    pub wanted_layers: Vec<Digest>,
    /// Further layers that have to be read to find commands that are not reproducible.
    pub wanted_for_notes: Vec<Digest>,
    /// Steps that the newer cache lacks, though it has other ones. Then it is probably the cache of another build, and the
    /// explanation is about nothing.
    pub absent: AbsentSteps,
}

/// How many steps of the newer builds are not in the newer cache, although it has steps of other builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AbsentSteps {
    /// Those that the older cache has. Their outcome is [`StepOutcome::Unknown`].
    pub in_old: usize,
    /// Those that neither cache has.
    pub in_neither: usize,
}

/// A step of a build, and whether the older cache had its result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedStep {
    /// Which step.
    pub at: StepPlace,
    /// Whether the older cache had its result.
    pub outcome: StepOutcome,
}

/// Whether a step had to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepOutcome {
    /// The cache has its result.
    Cached,
    /// The cache does not have its result, so it ran, or will run.
    Ran,
    /// It has no inputs. BuildKit exports no results of such steps, so it runs in every build.
    Always,
    /// Only building tells: its inputs are not known yet. Or the newer cache seems to be of another build, which
    /// [`Explanation::absent`] says.
    Unknown,
}

/// Where a step stands in the build's record and in the Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepPlace {
    /// The position of the build among the builds that were explained together.
    pub build: usize,
    /// The platform of the build, such as `linux/arm64`, if several builds were explained together.
    pub platform: Option<String>,
    /// The position of the step in the build's definition. `step4` in the build's record is 4.
    pub step: usize,
    /// The first line of its instruction, from 1. Internal steps have none.
    pub line: Option<usize>,
    /// The text of its instruction on one line, with single spaces.
    pub instruction: Option<String>,
}

/// The first cause of misses: a step that missed for a reason of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cause {
    /// What is different.
    pub kind: CauseKind,
    /// Whether steps missed because of it. It is not certain that another source has other files before the build is made.
    pub is_certain: bool,
    /// The step, or the source whose content is another one.
    pub at: StepPlace,
    /// How many further steps missed because of it. Sources are not counted.
    pub follow: usize,
    /// How many further steps may miss because of it: only building tells.
    pub may_follow: usize,
    /// The files that differ, in the order of their paths; for [`CauseKind::Content`] and [`CauseKind::Inline`] only.
    /// `None` if they cannot be known; [`files_unknown`](Self::files_unknown) says why.
    pub files: Option<Vec<FileChange>>,
    /// Why the files cannot be known.
    pub files_unknown: Option<FilesUnknown>,
    /// What differs between the definitions of the step, in the order in which it is hashed.
    pub changes: Vec<Change>,
    /// The line of the ARG or ENV that declares the changed variable, from 1.
    pub declared: Option<usize>,
    /// The patterns that no longer leave out files of the context, and those that do so now.
    pub ignore: Option<IgnoreChange>,
    /// How long the step and the steps that follow ran, if the log of the newer build is known.
    pub lost: Option<Duration>,
}

/// What is different, so that a step missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CauseKind {
    /// The files that the step reads.
    Content,
    /// The text of a document inside of the Dockerfile that the step copies.
    Inline,
    /// The base image.
    Base,
    /// What was downloaded: a Git repository or a file.
    Source,
    /// The platform.
    Platform,
    /// The command of a RUN.
    Command,
    /// The value of a build argument.
    Arg,
    /// The value of an environment variable.
    Env,
    /// The mounts of a RUN.
    Mount,
    /// The instruction, in any other way.
    Instruction,
    /// The older build had no step that this one could have been.
    NewStep,
    /// The step stands on another step than it did.
    Order,
    /// The cache knows the step, and has no result of it.
    NoResult,
    /// The step is defined in another way, or is new. The older build's record is not known, so nothing more can be
    /// said.
    Definition,
}

/// A field of a step's definition with its values in both builds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The field, such as `Exec.meta.args[2]` or `Exec.meta.env.MODE`.
    pub at: String,
    /// The value in the older build; `None` if it was absent.
    pub old: Option<String>,
    /// The value in the newer build; `None` if it is absent.
    pub new: Option<String>,
    /// Whether the values may be secret: those of environment variables and build arguments are.
    pub is_secret: bool,
}

/// Patterns of ignore files that went and came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoreChange {
    /// Patterns of the older build only.
    pub removed: Vec<String>,
    /// Patterns of the newer build only.
    pub added: Vec<String>,
}

/// Why the files that differ cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilesUnknown {
    /// No layer keeps the older files, since the step only mounts them. The older folder would tell.
    OnlyMounted,
    /// The older layer was not read, or does not hold them as they were. The older folder would tell.
    NoOldFiles,
    /// Neither the newer folder nor a layer with the newer files was read.
    NoNewFiles,
}

/// A remark about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What it says.
    pub kind: NoteKind,
    /// The step.
    pub at: StepPlace,
    /// The files that differ.
    pub files: Vec<FileChange>,
}

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// Two runs of one command over equal files made different files. Steps that read them miss.
    NotReproducible,
}

impl Explanation {
    /// How many steps the cache had.
    pub fn cached(&self) -> usize {
        self.count(StepOutcome::Cached)
    }

    /// How many steps had to run, without those that run in every build.
    pub fn ran(&self) -> usize {
        self.count(StepOutcome::Ran)
    }

    /// How many steps have this outcome.
    pub fn count(&self, outcome: StepOutcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }
}

impl AbsentSteps {
    /// How many there are.
    pub fn count(self) -> usize {
        self.in_old + self.in_neither
    }
}

impl CauseKind {
    /// The name in the program's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Inline => "inline",
            Self::Base => "base",
            Self::Source => "source",
            Self::Platform => "platform",
            Self::Command => "command",
            Self::Arg => "arg",
            Self::Env => "env",
            Self::Mount => "mount",
            Self::Instruction => "instruction",
            Self::NewStep => "new-step",
            Self::Order => "order",
            Self::NoResult => "no-result",
            Self::Definition => "definition",
        }
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl NoteKind {
    /// The name in the program's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReproducible => "not-reproducible",
        }
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
