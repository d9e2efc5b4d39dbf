//! How much is verified, and within which bounds.
//!
//! No bound changes what is right: what is above one is a finding that says so.

use std::thread::available_parallelism;

use cache_ingest::{RetryBudget, RetryPolicy};

/// How a cache is verified.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Whether the layers' blobs are read: their digests and diff IDs are checked. Otherwise the store is only asked
    /// whether they are there and how large they are. True by default.
    pub blobs: bool,
    /// The greatest size, in bytes, of a manifest, config or image config; 64 MiB by default.
    pub max_metadata_size: u64,
    /// How many bytes a compressed layer may have when it is decompressed; 64 GiB by default.
    ///
    /// Decompression ends at the first byte above it. There is no limit on the ratio: Zstandard makes a few bytes of
    /// a layer that is all zeros, as the layers of sparse disk images are, and gzip's ratio is at most 1032 by its
    /// nature. Nothing that is decompressed is kept, so the limit bounds time, not memory.
    pub max_expansion: u64,
    /// How many blobs are read at once, at least 1; by default one for each core, and at least 2.
    ///
    /// Each takes a thread that decompresses, and at most a few chunks of the store's size; for Zstandard also the
    /// window that its frames ask for, up to 128 MiB. Frames with a larger window are not decompressed.
    pub concurrency: usize,
    /// How often the reading of one blob is tried again.
    pub retry: RetryPolicy,
    /// The retries of the whole job.
    pub budget: RetryBudget,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            blobs: true,
            max_metadata_size: 64 << 20,
            max_expansion: 64 << 30,
            concurrency: available_parallelism().map_or(2, |cores| cores.get().max(2)),
            retry: RetryPolicy::default(),
            budget: RetryBudget::default(),
        }
    }
}
