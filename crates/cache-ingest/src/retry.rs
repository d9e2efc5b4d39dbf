//! How often something is tried again, and after which wait.
//!
//! Decides, and leaves the waiting to others. Nothing is tried again once the budget of the whole job is spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Error;
use crate::random::random;

/// How often one blob is tried again, and how long the waits in between are.
///
/// The wait doubles from try to try up to the longest one, and a random part of up to a half of it is left out, so
/// that many clients do not come back at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many retries there are in a row without a byte of progress.
    pub retries: u32,
    /// The wait before the first retry.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Four retries, after a quarter of a second to two seconds.
    fn default() -> Self {
        Self { retries: 4, first_wait: Duration::from_millis(250), longest_wait: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// No retries.
    pub fn never() -> Self {
        Self { retries: 0, ..Self::default() }
    }

    /// The wait before a retry; the first is number 0.
    fn wait(&self, retry: u32) -> Duration {
        let full = self.first_wait.saturating_mul(2u32.saturating_pow(retry)).min(self.longest_wait);
        let left_out = u32::try_from(random() % 1000).unwrap_or(0);
        full.saturating_sub(full / 2 * left_out / 1000)
    }
}

/// The retries that a whole job may still make. Clones share it.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<AtomicU32>);

impl Default for RetryBudget {
    /// A budget of 64 retries.
    fn default() -> Self {
        Self::new(64)
    }
}

impl RetryBudget {
    /// A budget of so many retries.
    pub fn new(retries: u32) -> Self {
        Self(Arc::new(AtomicU32::new(retries)))
    }

    /// How many retries are left.
    pub fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Spends one retry; false when none is left.
    pub fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// The retries made for one blob or one request, by a policy and within a budget.
///
/// For stores that repeat their requests. It counts and decides; the waiting is the caller's.
#[derive(Clone, Debug)]
pub struct Retries {
    policy: RetryPolicy,
    budget: RetryBudget,
    made: u32,
}

impl Retries {
    /// No retries made yet.
    pub fn new(policy: RetryPolicy, budget: RetryBudget) -> Self {
        Self { policy, budget, made: 0 }
    }

    /// Spends a retry after an error and says how long to wait before it; `None` where it is final.
    pub fn next_wait(&mut self, error: &Error) -> Option<Duration> {
        if !error.is_retryable() || self.made >= self.policy.retries || !self.budget.spend() {
            return None;
        }
        self.made += 1;
        Some(self.policy.wait(self.made - 1))
    }

    /// The number of the attempt that is under way or about to begin; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.made + 1
    }

    /// Starts counting again, since there was progress. The budget stays spent.
    pub fn progressed(&mut self) {
        self.made = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "open", "a blob", "a reason")
    }

    #[test]
    fn the_wait_doubles_to_the_longest_and_at_most_half_of_it_is_left_out() {
        let policy = RetryPolicy {
            retries: 9,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_millis(350),
        };
        for (retry, full) in [(0, 100), (1, 200), (2, 350), (40, 350)] {
            for _ in 0..50 {
                let wait = policy.wait(retry);
                assert!(
                    wait <= Duration::from_millis(full) && wait >= Duration::from_millis(full / 2),
                    "{wait:?}"
                );
            }
        }
    }

    #[test]
    fn the_budget_bounds_all_who_share_it() {
        let budget = RetryBudget::new(3);
        let mut one = Retries::new(RetryPolicy::default(), budget.clone());
        let mut other = one.clone();
        assert!(one.next_wait(&error(ErrorKind::Unavailable)).is_some());
        assert!(one.next_wait(&error(ErrorKind::Corrupt)).is_some());
        assert!(other.next_wait(&error(ErrorKind::Denied)).is_none());
        assert!(other.next_wait(&error(ErrorKind::Unavailable)).is_some());
        assert!(other.next_wait(&error(ErrorKind::Unavailable)).is_none());
        assert_eq!((one.attempt(), other.attempt(), budget.left()), (3, 2, 0));
    }

    #[test]
    fn what_was_tried_often_enough_below_is_not_tried_again_above() {
        let mut retries = Retries::new(RetryPolicy::default(), RetryBudget::default());
        assert!(retries.next_wait(&error(ErrorKind::Unavailable).tried_enough()).is_none());
    }
}
