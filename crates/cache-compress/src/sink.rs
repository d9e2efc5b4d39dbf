//! The sink for decompressed bytes: they are counted, hashed and dropped.
//!
//! It takes no more bytes than its limit.

use cache_ingest::Hasher;
use cache_model::{Algorithm, Digest};

use crate::DecodeFailure;

/// Hashes decompressed bytes, as many as the limit allows.
pub(crate) struct HashSink {
    hashers: Vec<Hasher>,
    left: u64,
    limit: u64,
}

impl HashSink {
    pub(crate) fn new(algorithms: &[Algorithm], limit: u64) -> Self {
        Self { hashers: algorithms.iter().copied().map(Hasher::new).collect(), left: limit, limit }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), DecodeFailure> {
        let above = DecodeFailure::Limit { limit: self.limit };
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(above)?;
        self.hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<Digest> {
        self.hashers.into_iter().map(Hasher::finish).collect()
    }
}
