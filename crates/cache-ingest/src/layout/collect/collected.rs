//! How a collection is made, and its outcome. Data only.

use std::path::PathBuf;
use std::time::Duration;

use cache_model::Digest;

use crate::{Leftover, Tally};

/// How garbage is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectOptions {
    /// The least age of a blob, and of another program's upload, that is deleted; an hour by default. It has to be longer
    /// than the longest export of another program.
    pub older_than: Duration,
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// How long a blob that was taken out of its place waits to be deleted; 3 seconds by default. It has to be longer than
    /// another program's export takes from the first blob that it finds present to the first one that it writes.
    pub settle: Duration,
}

impl CollectOptions {
    /// Sets [`older_than`](Self::older_than).
    #[must_use]
    pub fn with_older_than(self, older_than: Duration) -> Self {
        Self { older_than, ..self }
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Sets [`settle`](Self::settle).
    #[must_use]
    pub fn with_settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }
}

impl Default for CollectOptions {
    fn default() -> Self {
        Self { older_than: Duration::from_secs(60 * 60), dry_run: false, settle: Duration::from_secs(3) }
    }
}

/// A blob that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectedBlob {
    /// Its digest.
    pub digest: Digest,
    /// The size of its file in bytes.
    pub size: u64,
}

impl CollectedBlob {
    pub(crate) fn new(digest: Digest, size: u64) -> Self {
        Self { digest, size }
    }
}

/// The outcome of a collection; of one that changes nothing, what it would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// The blobs that were deleted, largest first.
    pub blobs: Vec<CollectedBlob>,
    /// The files and folders of interrupted writers that were deleted, largest first.
    pub leftovers: Vec<Leftover>,
    /// The blobs that the names of the layout lead to.
    pub named: Tally,
    /// The blobs that no name leads to, and that are too young, or that a young document names.
    pub young: Tally,
    /// The blobs that no name leads to, and that were kept because another program is writing to the layout, or because it
    /// began while they were about to be deleted.
    pub deferred: Tally,
    /// The upload of another program because of which blobs were kept.
    pub upload: Option<PathBuf>,
}

impl Collected {
    /// How many blobs were deleted, and their bytes.
    pub fn deleted(&self) -> Tally {
        let mut tally = Tally::default();
        self.blobs.iter().for_each(|blob| tally.count(blob.size));
        tally
    }
}
