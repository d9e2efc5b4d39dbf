//! A bound of the work for records that were made to be slow.

/// How many looks at records and links are left.
///
/// Real builds need a few for each link. What is left undone is unknown, so the bound is far above that.
pub(crate) struct Work(usize);

impl Work {
    pub(crate) fn new() -> Self {
        Self(5_000_000)
    }

    /// Takes this many looks from the budget. If fewer are left, the budget becomes empty, and the result is `false`.
    pub(crate) fn take(&mut self, looks: usize) -> bool {
        let left = self.0.checked_sub(looks);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}
