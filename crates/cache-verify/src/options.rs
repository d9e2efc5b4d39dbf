//! The extent and the bounds of a verification.
//!
//! Exceeding a bound is a finding of its own, never a pass.

use cache_compress::DEFAULT_MAX_EXPANSION;

/// How a cache is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Whether the layers' blobs are read: their digests and diff IDs are checked. Otherwise the store is only asked
    /// whether they are there and how large they are. True by default.
    pub blobs: bool,
    /// How many bytes a compressed layer may have when it is decompressed; 64 GiB by default.
    ///
    /// Decompression ends at the first byte above it. There is no limit on the ratio: Zstandard makes a few bytes of
    /// a layer that is all zeros, as the layers of sparse disk images are, and gzip's ratio is at most 1032 by its
    /// nature. Nothing that is decompressed is kept, so the limit bounds time, not memory.
    pub max_expansion: u64,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { blobs: true, max_expansion: DEFAULT_MAX_EXPANSION }
    }
}

impl VerifyOptions {
    /// The same options with another value of [`blobs`](Self::blobs).
    #[must_use]
    pub fn with_blobs(mut self, blobs: bool) -> Self {
        self.blobs = blobs;
        self
    }

    /// The same options with another limit of [`max_expansion`](Self::max_expansion), in bytes.
    #[must_use]
    pub fn with_max_expansion(mut self, max_expansion: u64) -> Self {
        self.max_expansion = max_expansion;
        self
    }
}
