//! The sink for decompressed bytes: they are counted, hashed and dropped.
//!
//! It takes no more bytes than its limit.

use cache_ingest::Hasher;
use cache_model::{Algorithm, Digest};

use crate::Undecodable;

/// Why decompression did not reach the end of the content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecodeFailure {
    Undecodable(Undecodable),
    Limit,
}

/// Hashes decompressed bytes, as many as the limit allows.
pub(crate) struct HashSink {
    hashers: Vec<Hasher>,
    left: u64,
}

impl HashSink {
    pub(crate) fn new(algorithms: &[Algorithm], limit: u64) -> Self {
        Self { hashers: algorithms.iter().copied().map(Hasher::new).collect(), left: limit }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), DecodeFailure> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(DecodeFailure::Limit)?;
        self.hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.hashers.is_empty()
    }

    pub(crate) fn finish(self) -> Vec<Digest> {
        self.hashers.into_iter().map(Hasher::finish).collect()
    }
}
