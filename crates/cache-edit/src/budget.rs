//! The limit on the work of coherent merging.
//!
//! For each record that the sources disagree about, everything that depends on it may have to be looked at, and that in
//! several rounds. In nearly all caches few records are contested, or few records depend on each. In the worst case the
//! work is the cube of the number of records, so that two small caches could take hours.

use crate::EditError;

/// The steps allowed for any sources, and the further steps for each record and each link of them. A step follows, looks
/// up or removes one link.
///
/// Time limits them from above: sources of 10 MB together have up to 510,000 records and links, so about 38 million steps.
/// A step takes 25 to 35 ns when memory is slow, so they take 1.0 to 1.3 s. Valid caches limit them from below: a merge of
/// 100 caches of 1,000 records that disagree about ten steps, each made from the one before, uses 3.3 million.
const STEPS: u64 = 1 << 25;
const STEPS_OF_A_LINK: u64 = 8;

/// The remaining steps.
pub(crate) struct Budget {
    total: u64,
    left: u64,
}

impl Budget {
    /// The budget for sources with this many records and links together.
    pub(crate) fn of(size: usize) -> Self {
        Self::new(STEPS.saturating_add(STEPS_OF_A_LINK.saturating_mul(size as u64)))
    }

    pub(crate) fn new(total: u64) -> Self {
        Self { total, left: total }
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), EditError> {
        match self.left.checked_sub(steps as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(EditError::TooContested { budget: self.total }),
        }
    }
}
