//! What a content check finds, as data.
//!
//! Nothing is computed here.

use std::collections::HashSet;

use cache_model::Digest;

use crate::Instructions;

/// The content checks of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentChecks {
    /// In the order of the steps: one for each step of which the cache has a layer.
    pub checks: Vec<ContentCheck>,
    /// How many commands have layers. A command can write anything, so they cannot be checked.
    pub commands: usize,
    /// How many records with results belong to no step of the build.
    pub unnamed: usize,
}

/// Whether the layer of one `COPY` or `ADD`, or of another step that only changes files, holds what its key names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentCheck {
    /// The position of the step in the build's definition.
    pub step: usize,
    /// The line of the step's instruction in its Dockerfile, from 1.
    pub line: Option<usize>,
    /// The instruction, on one line.
    pub instruction: String,
    /// The blob of the layer that decided: the first of the step's layers with the worst verdict.
    pub layer: Option<Digest>,
    /// What was found.
    pub verdict: ContentVerdict,
}

/// Whether a layer holds what its key names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentVerdict {
    /// It does, and nothing else.
    Sound,
    /// There is not enough data to judge the step.
    CannotTell {
        /// Why, as a part of a sentence: "the source is an archive".
        reason: String,
    },
    /// It does not.
    Mismatch {
        /// What is wrong, in the order of the paths.
        flaws: Vec<ContentFlaw>,
    },
}

/// One thing that is wrong with a layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ContentFlaw {
    /// The path in the layer, without a slash in front. Empty for the root, and for what concerns no path.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub kind: FlawKind,
}

/// What is wrong with a path of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FlawKind {
    /// The step does not write it, but the layer has it, removes it, or gives it attributes.
    Planted,
    /// The step writes it, but the layer lacks or removes it.
    Missing,
    /// Its bytes, its link or its type differ from those of the source.
    Changed,
    /// Its permissions differ from those that the step gives it.
    Mode,
    /// Its owner differs from the one that the step gives it.
    Owner,
    /// Its capabilities differ from those of the source.
    Capabilities,
    /// The layers below it are not those of the step's input, or there are more of them.
    Layers,
    /// The layer is not what BuildKit writes: it cannot be read as a layer.
    Unreadable,
}

impl ContentChecks {
    /// Says of layers that their blobs are right, but that they cannot be read as layers. BuildKit writes none that cannot, so this is
    /// wrong, too: otherwise a layer could escape its check.
    pub fn mark_unreadable<'d>(&mut self, layers: impl IntoIterator<Item = &'d Digest>) {
        let layers: HashSet<&Digest> = layers.into_iter().collect();
        let untold = self.checks.iter_mut().filter(|check| check.verdict.name() == "unknown");
        for check in untold.filter(|check| check.layer.is_some_and(|layer| layers.contains(&layer))) {
            check.verdict = mismatch([ContentFlaw { path: Vec::new(), kind: FlawKind::Unreadable }]);
        }
    }

    /// Adds what was found about one layer of a step. The worst counts.
    pub(crate) fn add(
        &mut self,
        step: usize,
        instructions: &Instructions,
        layer: Option<Digest>,
        verdict: ContentVerdict,
    ) {
        let Some(known) = self.checks.iter_mut().find(|check| check.step == step) else {
            let line = instructions.line(step);
            let instruction = instructions.text(step).unwrap_or_default().to_owned();
            self.checks.push(ContentCheck { step, line, instruction, layer, verdict });
            return;
        };
        if verdict.is_worse_than(&known.verdict) {
            (known.layer, known.verdict) = (layer, verdict);
        }
    }
}

impl FlawKind {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planted => "planted",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Capabilities => "capabilities",
            Self::Layers => "layers",
            Self::Unreadable => "unreadable",
        }
    }
}

impl ContentVerdict {
    /// Whether it is worse than another: a mismatch is worse than what cannot be told, and that is worse than soundness.
    pub fn is_worse_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// The worse of two.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.is_worse_than(&self) { other } else { self }
    }

    /// Its name: `sound`, `unknown` or `mismatch`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::CannotTell { .. } => "unknown",
            Self::Mismatch { .. } => "mismatch",
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Sound => 0,
            Self::CannotTell { .. } => 1,
            Self::Mismatch { .. } => 2,
        }
    }
}

pub(crate) fn mismatch(flaws: impl IntoIterator<Item = ContentFlaw>) -> ContentVerdict {
    ContentVerdict::Mismatch { flaws: flaws.into_iter().collect() }
}

pub(crate) fn unknown(reason: impl Into<String>) -> ContentVerdict {
    ContentVerdict::CannotTell { reason: reason.into() }
}
