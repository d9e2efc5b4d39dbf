//! The differences between two caches, as data in a fixed order.

use std::fmt;

use cache_model::{Descriptor, RecordDigest, Timestamp};

/// The differences between two caches, `a` and `b`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// The records of both, in the order of the config that both would have together.
    pub records: Vec<RecordDiff>,
    /// The blobs that only `a` has.
    pub only_a: BlobTotals,
    /// The blobs that only `b` has.
    pub only_b: BlobTotals,
    /// The blobs that both have.
    pub both: BlobTotals,
    /// The blobs that only one has, largest first.
    pub blobs: Vec<BlobDiff>,
}

/// A record of two caches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDiff {
    /// Its digest.
    pub digest: RecordDigest,
    /// Which caches have it.
    pub presence: Presence,
    /// How its newest results in the two differ.
    pub change: ResultChange,
    /// Its newest result in `a`.
    pub a: Option<ComparedResult>,
    /// Its newest result in `b`.
    pub b: Option<ComparedResult>,
}

/// The newest result with layers that a record has in one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComparedResult {
    /// When it was made.
    pub created_at: Timestamp,
    /// How many layers it has.
    pub layers: usize,
    /// The size in bytes of all its layers.
    pub bytes: u64,
}

/// Which of two caches has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Only `a`.
    A,
    /// Only `b`.
    B,
    /// Both.
    Both,
}

/// How the newest results that a record has in two caches differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResultChange {
    /// Neither has a result.
    None,
    /// Only `a` has one.
    OnlyA,
    /// Only `b` has one.
    OnlyB,
    /// Both have the same blobs.
    Same,
    /// Both have the same content in other blobs.
    Recompressed,
    /// They have different content.
    Changed,
}

/// How many blobs, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobTotals {
    /// How many distinct blobs.
    pub blobs: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A blob that only one of two caches has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobDiff {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// The cache that has it.
    pub presence: Presence,
    /// Whether the other cache has its content in another blob.
    pub is_recompressed: bool,
}

impl Presence {
    /// `a`, `b` or `ab`.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Both => "ab",
        }
    }
}

impl ResultChange {
    /// `none`, `only-a`, `only-b`, `same`, `recompressed` or `changed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OnlyA => "only-a",
            Self::OnlyB => "only-b",
            Self::Same => "same",
            Self::Recompressed => "recompressed",
            Self::Changed => "changed",
        }
    }
}

impl BlobTotals {
    pub(crate) fn add(&mut self, blob: &Descriptor) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(blob.size);
    }
}

impl Diff {
    /// Whether both have the same records, with the same newest results, and the same blobs.
    pub fn is_empty(&self) -> bool {
        let is_same = |record: &RecordDiff| {
            record.presence == Presence::Both
                && matches!(record.change, ResultChange::None | ResultChange::Same)
        };
        self.blobs.is_empty() && self.records.iter().all(is_same)
    }
}

impl fmt::Display for Presence {
    /// Its [`name`](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for ResultChange {
    /// Its [`name`](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
