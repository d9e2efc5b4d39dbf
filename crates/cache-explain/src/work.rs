//! A bound of the work for records that were made to be slow.

/// How many looks at records and links are left.
///
/// Real builds need a few for each link. The bound is what a machine does in about a second.
pub(crate) struct Work(usize);

impl Work {
    pub(crate) fn new() -> Self {
        Self(50_000_000)
    }

    /// Takes some looks; `false` if so many are not left.
    pub(crate) fn take(&mut self, looks: usize) -> bool {
        match self.0.checked_sub(looks) {
            Some(left) => self.0 = left,
            None => return false,
        }
        true
    }
}
