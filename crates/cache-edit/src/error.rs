//! Why caches cannot be merged, pruned, repaired or compared.

use cache_model::{AddError, Digest, ReadError, count};

/// Why an edit is refused. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Two sources give one blob different sizes, so one of them is damaged.
    #[error(
        "blob {blob} has {} in source {} and {} in source {}: one of the two is damaged, so leave it out",
        count(sizes[0], "byte"), sources[0], count(sizes[1], "byte"), sources[1]
    )]
    #[non_exhaustive]
    SizeConflict {
        /// The blob.
        blob: Digest,
        /// The sizes in bytes.
        sizes: [u64; 2],
        /// The positions of the sources that give these sizes, among those that were given.
        sources: [usize; 2],
    },
    /// The graph of a source, or of all of them together, cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be added.
    #[error(transparent)]
    Add(#[from] AddError),
    /// Finding out which runs a build could mix exceeds the limit on work: the sources disagree about too many results, or
    /// too many records use these. No builds export such caches.
    #[error(
        "what the caches disagree about cannot be found out within {budget} steps: merge fewer caches at once, or keep \
         all results"
    )]
    #[non_exhaustive]
    TooContested {
        /// The number of steps allowed for caches of this size.
        budget: u64,
    },
    /// Not even the empty config fits into the limit.
    #[error("a config has at least 2 bytes, so none fits into {bytes}: give a larger size")]
    #[non_exhaustive]
    FitTooSmall {
        /// The limit in bytes.
        bytes: u64,
    },
}
