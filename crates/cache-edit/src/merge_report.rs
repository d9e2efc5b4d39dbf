//! What merging found and did: which records were contested, who won, and what each source lost.

use cache_model::RecordDigest;

/// What merging found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeReport {
    /// The contested records, sorted by digest.
    pub contested: Vec<Contested>,
    /// The outcome for each source, in the order in which they were given.
    pub sources: Vec<SourceOutcome>,
}

/// A record of which the sources have different results. Sources are named by their positions among those given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Contested {
    /// The digest of the record.
    pub record: RecordDigest,
    /// The source whose result won.
    pub winner: usize,
    /// The sources with another result than the winner's, in order.
    pub losers: Vec<usize>,
    /// The losers that gave up what was made from their result, since a build could have mixed it with the winner's; in
    /// order.
    pub cut: Vec<usize>,
}

/// What became of the results of one source. A record counts once, however many results it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceOutcome {
    /// The records with a result that has layers.
    pub results: usize,
    /// Of these, the records whose results are lost: they were given up, or they were removed because what they were made
    /// from was given up, or they are left out because all links of an input close cycles.
    pub lost: usize,
    /// Of these, the records for which another source's different result is taken.
    pub replaced: usize,
}
