//! How a build matches caches, as data: for each step whether they have it, and why.
//!
//! Nothing is computed here.

use std::collections::HashSet;

use cache_model::{Digest, RecordDigest};

/// How a build matches older caches.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Matching {
    /// The steps, by their positions in the build's definition. Sources are steps here, too.
    pub steps: Vec<MatchedStep>,
}

/// How one step matches.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MatchedStep {
    /// Whether the caches have its results.
    pub state: MatchState,
    /// The digests of its cache keys: one, for an image two. Empty for a local folder, which has none, and where the key
    /// cannot be computed or is not known.
    pub keys: Vec<Digest>,
    /// The record of the step's key that comes nearest: a reached one, else one with the fewest slots that do not match. `None` if no
    /// cache has a record of the key, and for sources.
    pub nearest: Option<ReachedRecord>,
    /// The records that each of its outputs in use reaches.
    pub outputs: Vec<MatchedOutput>,
    /// Its inputs, as they match the nearest record. Without one every slot is [`SlotState::NoRecord`].
    pub slots: Vec<MatchedSlot>,
}

/// An output of a step and the records that it reaches: those of its digest all of whose slots match.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MatchedOutput {
    /// The position of the output.
    pub output: usize,
    /// The records that are reached.
    pub records: Vec<ReachedRecord>,
    /// The records that would be reached if everything unknown matched. None of [`records`](Self::records) is among them.
    pub possible: Vec<ReachedRecord>,
}

/// A record of one of several caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ReachedRecord {
    /// The position of the cache, among those that were given.
    pub cache: usize,
    /// The position of the record in the cache's graph.
    pub record: usize,
}

/// Whether caches have the results of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatchState {
    /// It need not run: its outputs in use have results, or nothing needs them.
    Hit,
    /// It has to run.
    Miss,
    /// Only building, or more knowledge, tells.
    Unknown(UnknownReason),
    /// It has no inputs and is no source. BuildKit exports no results of such steps, so it runs in every build.
    Always,
    /// A source: it is resolved, never loaded from a cache. [`MatchedStep::outputs`] says which records it reaches.
    Source,
    /// The end of the definition, which only names the result.
    End,
}

/// How an input of a step matches a record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MatchedSlot {
    /// Whether and how it matches.
    pub state: SlotState,
    /// The content that the step reads from this input now.
    pub content: InputContent,
}

/// Whether a slot of a record matches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotState {
    /// A link leads to a record that the input reaches.
    Definition,
    /// No such link, but the content is equal.
    Content,
    /// Neither.
    No,
    /// It would match if the content, or the input, were what only building or more knowledge tells.
    Unknown(UnknownReason),
    /// No cache has a record of the step's key.
    NoRecord,
}

/// The content that a step reads from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputContent {
    /// The step's key does not look at the content of this input.
    Ignored,
    /// It was not computed, since nothing depends on it: the slot matches by its definition, or no cache has a record of the step's key.
    NotNeeded,
    /// The digests of content records; nearly always one.
    Known(Vec<RecordDigest>),
    /// It is not known.
    Unknown(UnknownReason),
}

/// Why something is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownReason {
    /// This step has to run first.
    Runs(usize),
    /// The cache has the files of this step, but these layers were not read.
    LayersNotRead {
        /// The step.
        step: usize,
        /// The digests of their blobs, lowest layer first.
        layers: Vec<Digest>,
    },
    /// The folder of this name was not given.
    NoContext(String),
    /// The build's record does not say, or the caches do not tell, what this source resolves to.
    Source(usize),
    /// The files of this source are not at hand.
    SourceContent(usize),
    /// The key of this step cannot be computed from the build's record.
    Key(usize),
    /// The instruction of this step changed since the build's record was written.
    Edited(usize),
    /// The step reads a path that this input does not have, or a rule that cannot be evaluated.
    Content(usize),
    /// The caches have too many records of one key to compare them all, or the build reads too many contents.
    TooTangled,
}

impl Matching {
    /// Digests of the layers that have to be read as trees to know more, without duplicates, in the order of the steps.
    pub fn wanted_layers(&self) -> Vec<Digest> {
        let slots = self.steps.iter().flat_map(|step| &step.slots);
        let mut wanted = Vec::new();
        let mut seen = HashSet::new();
        for slot in slots {
            let SlotState::Unknown(UnknownReason::LayersNotRead { layers, .. }) = &slot.state else {
                continue;
            };
            wanted.extend(layers.iter().filter(|layer| seen.insert(**layer)).copied());
        }
        wanted
    }
}

impl MatchedStep {
    /// Whether each of its outputs in use reaches a record.
    pub fn is_reached(&self) -> bool {
        self.outputs.iter().all(|output| !output.records.is_empty())
    }

    /// The same, if everything unknown matched.
    pub(crate) fn may_be_reached(&self) -> bool {
        self.outputs.iter().all(|output| !output.records.is_empty() || !output.possible.is_empty())
    }
}
