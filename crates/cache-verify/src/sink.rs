//! Where decompressed bytes go: they are counted, hashed and dropped.
//!
//! Never keeps a byte, and takes no more than its limit.

use cache_ingest::Hasher;
use cache_model::{Algorithm, Digest};

use crate::Undecodable;

/// Why decompression did not reach the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Undecodable(Undecodable),
    Limit,
}

/// Takes decompressed bytes, as many as the limit allows.
pub(crate) struct Sink {
    hashers: Vec<Hasher>,
    left: u64,
}

impl Sink {
    pub(crate) fn new(algorithms: &[Algorithm], limit: u64) -> Self {
        Self { hashers: algorithms.iter().copied().map(Hasher::new).collect(), left: limit }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Failure::Limit)?;
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
