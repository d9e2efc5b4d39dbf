//! The limit on the work of reading a graph, and the error of a graph that exceeds it.
//!
//! Reading takes linear time by either rule if few records share links, as in nearly all caches. In the worst case it
//! takes quadratic time, so that a config of ten megabytes could take hours.

use crate::RecordDigest;
use crate::arena::index::DigestIx;
use crate::chains::CacheChains;
use crate::chains::log::Log;

/// The steps allowed for any cache, and the further steps for each add and each link.
///
/// Time limits them from above: a config of 10 MB has up to 770,000 adds and links, so about 23 million steps. A step
/// takes 45 to 70 ns when memory is slow, so they take 1.0 to 1.6 s. Valid caches limit them from below: merges of 100
/// builds use at most 3.5 steps for each add and link, with three and with nine links a record. The most steps are used
/// where the builds have most records in common.
const STEPS: u64 = 1 << 22;
const STEPS_OF_A_LINK: u64 = 24;

/// Why no graph can be read from chains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Many records of one digest share links, and comparing them exceeds the limit on work. No build exports such a
    /// cache.
    #[error(
        "the records with digest {} cannot be compared within {budget} steps: too many of them share links; no build \
         exports such a cache, so export it anew",
        record.excerpt()
    )]
    #[non_exhaustive]
    TooTangled {
        /// The digest of the record at which the steps ran out.
        record: RecordDigest,
        /// The number of steps allowed for a cache of this size.
        budget: u64,
    },
}

/// The remaining steps. A step follows, looks up or moves one link.
pub(crate) struct Budget {
    total: u64,
    left: u64,
}

/// No step is left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent;

impl Budget {
    pub(crate) fn new(total: u64) -> Self {
        Self { total, left: total }
    }

    /// The budget for a log.
    pub(crate) fn of(log: &Log) -> Self {
        let size = (log.len() + log.inputs.rows().items_len()) as u64;
        Self::new(STEPS + STEPS_OF_A_LINK * size)
    }

    #[inline]
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Spent> {
        self.left = self.left.checked_sub(steps as u64).ok_or(Spent)?;
        Ok(())
    }

    /// How many steps were spent.
    pub(crate) fn spent(&self) -> u64 {
        self.total - self.left
    }

    /// The error for a budget that was used up at a record.
    pub(crate) fn error(&self, chains: &CacheChains, digest: DigestIx) -> ReadError {
        ReadError::TooTangled { record: chains.digests.value(digest).clone(), budget: self.total }
    }
}
