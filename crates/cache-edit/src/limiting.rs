//! Makes a selection smaller, so that it keeps to limits.

use cache_model::CacheConfig;

use crate::fit::longest_beginning;
use crate::freshness::{Freshness, instant};
use crate::keep::keep;
use crate::limits::EMPTY_CONFIG;
use crate::new_bytes::NewBytes;
use crate::order::{Ordered, keeping_order};
use crate::{EditError, Limits, Selection};

/// The length of `sha256:` and 64 digits.
const SHA256_TEXT: usize = 71;

impl Selection<'_> {
    /// The part of the selection that keeps to the limits, which are applied in the order of the fields of [`Limits`],
    /// each to what the one before kept.
    ///
    /// Results are kept in one order, whatever the limits. The freshest records come first: a record is as fresh as its
    /// result, its mark, and everything that was made from it, whichever is latest. Of equally fresh records the ones
    /// that most others stand on come first.
    ///
    /// `config_size` gives the size in bytes of a config as it will be written, with the text of each record's digest; only
    /// `fit` needs it.
    ///
    /// # Errors
    /// [`EditError::FitTooSmall`] if not even the empty config fits.
    pub fn limited(
        self,
        limits: &Limits,
        config_size: &dyn Fn(&CacheConfig) -> u64,
    ) -> Result<Self, EditError> {
        if let Some(bytes) = limits.fit.filter(|bytes| *bytes < EMPTY_CONFIG) {
            return Err(EditError::FitTooSmall { bytes });
        }
        if *limits == Limits::default() {
            return Ok(self);
        }
        let mut order = keeping_order(&self, &Freshness::of(&self));
        if let Some(limit) = limits.older_than {
            let limit = instant(limit);
            order.retain(|result| result.freshness >= limit);
        }
        if let Some(bytes) = limits.keep_bytes {
            self.retain_within(&mut order, bytes);
        }
        if let Some(bytes) = limits.fit {
            let size_of = |beginning: usize| -> Result<u64, EditError> {
                let part = self.only(positions(order.iter().take(beginning)));
                let least = part.least_config_size();
                if least > bytes {
                    return Ok(least);
                }
                Ok(config_size(&keep(&part)?.marshal(&|_| true)?.config))
            };
            order.truncate(longest_beginning(order.len(), bytes, size_of)?);
        }
        Ok(self.only(positions(&order)))
    }

    /// A size that the config has at least, as it names the digest of each record. It is found much faster than the config.
    fn least_config_size(&self) -> u64 {
        let lens =
            self.records().map(|record| record.digest().as_text().map_or(SHA256_TEXT, str::len) as u64);
        lens.sum()
    }

    /// Passes over each result whose new blobs do not fit into what is left of some bytes.
    fn retain_within(&self, order: &mut Vec<Ordered>, bytes: u64) {
        let mut blobs = NewBytes::new(self.graph());
        let mut left = u128::from(bytes);
        order.retain(|ordered| {
            let record = self.graph().at(ordered.record);
            let Some(top) = record.and_then(|record| self.result(record)?.top()) else { return false };
            let Some(after) = left.checked_sub(blobs.of(top)) else { return false };
            left = after;
            blobs.take(top);
            true
        });
    }
}

/// The positions of the records of some results.
fn positions<'o>(order: impl IntoIterator<Item = &'o Ordered>) -> impl Iterator<Item = usize> {
    order.into_iter().map(|ordered| ordered.record)
}
