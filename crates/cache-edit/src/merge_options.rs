//! How to merge: which results are kept, and who wins.

/// Which results a merged cache keeps of a record of which the sources have different results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coherence {
    /// Those of one run. Where a build could mix two runs, the sources that lost give up what was made from their run.
    #[default]
    Coherent,
    /// All of them. This gives more hits, and a build may mix two runs of a step that is not reproducible.
    KeepAll,
}

/// Which of different results of a record wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prefer {
    /// The newest. The outcome does not depend on the order of the sources.
    #[default]
    Newest,
    /// That of the earliest of the given sources that has one: for merging what may be partial into what is whole.
    First,
}

/// How to merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeOptions {
    /// Which results are kept of a contested record.
    pub coherence: Coherence,
    /// Which result wins a contested record. With [`Coherence::KeepAll`] it is always the newest.
    pub prefer: Prefer,
}

impl MergeOptions {
    /// The same options with another coherence.
    #[must_use]
    pub fn with_coherence(mut self, coherence: Coherence) -> Self {
        self.coherence = coherence;
        self
    }

    /// The same options with another winner of contested records.
    #[must_use]
    pub fn with_prefer(mut self, prefer: Prefer) -> Self {
        self.prefer = prefer;
        self
    }
}
