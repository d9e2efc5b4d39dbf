//! How much a cache holds.

/// What a cache holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many records.
    pub records: usize,
    /// How many results with layers; at most one a record.
    pub results: usize,
    /// How many distinct blobs these have.
    pub blobs: usize,
    /// The size of these blobs in bytes.
    pub bytes: u64,
}
