//! How often a failed operation is retried, and after which wait.
//!
//! It decides; the caller waits. Nothing is retried once the budget of the whole job is spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Error;
use crate::random::random_part;

/// The least wait for a Retry-After; a date may already be due.
const LEAST_ASKED: Duration = Duration::from_secs(1);
/// The least wait for a server that limits the rate of requests and states no wait, so that the waits sum up.
const LEAST_LIMITED: Duration = Duration::from_millis(100);
/// The longest total of waits for servers that limit the rate of requests, without progress in between.
const LONGEST_LIMITED: Duration = Duration::from_secs(5 * 60);

/// How often one blob or request is retried, and how long the waits are.
///
/// The wait doubles with each retry up to the longest one. A random part of up to half of it is left out, so that many
/// clients do not come back at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many retries there are in a row without a byte of progress.
    pub retries: u32,
    /// The wait before the first retry.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Seven retries, after a quarter of a second to ten seconds. In all they take about 20 seconds, in which a server can
    /// be started again.
    fn default() -> Self {
        Self { retries: 7, first_wait: Duration::from_millis(250), longest_wait: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// No retries.
    pub fn never() -> Self {
        Self::default().with_retries(0)
    }

    /// The same policy with another number of retries in a row without a byte of progress.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The same policy with other waits.
    #[must_use]
    pub fn with_waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first_wait = first;
        self.longest_wait = longest;
        self
    }

    /// The wait before a retry; the first is number 0.
    fn wait(&self, retry: u32) -> Duration {
        let full = self.first_wait.saturating_mul(2u32.saturating_pow(retry)).min(self.longest_wait);
        full.saturating_sub(random_part(full / 2))
    }
}

/// The retries that a whole job may still make. Clones share it.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<AtomicU32>);

impl Default for RetryBudget {
    /// A budget of 112 retries: all of the default policy for 16 blobs at once.
    fn default() -> Self {
        Self::new(112)
    }
}

impl RetryBudget {
    /// A budget of `retries` retries.
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
    /// How many errors there were in a row that only few retries may help against.
    few_in_a_row: u32,
    limited: LimitedWaits,
}

/// The waits for a server that limits the rate of requests.
#[derive(Clone, Copy, Debug, Default)]
struct LimitedWaits {
    /// How many there were.
    made: u32,
    /// How many there were without progress in between, and their sum.
    in_a_row: (u32, Duration),
}

impl Retries {
    /// No retries made yet.
    pub fn new(policy: RetryPolicy, budget: RetryBudget) -> Self {
        Self { policy, budget, made: 0, few_in_a_row: 0, limited: LimitedWaits::default() }
    }

    /// Spends a retry after an error, and gives the wait before it; `None` where the error is final.
    pub fn next_wait(&mut self, error: &Error) -> Option<Duration> {
        self.few_in_a_row = 0;
        if !error.is_retryable() || self.made >= self.policy.retries || !self.budget.spend() {
            return None;
        }
        self.made += 1;
        Some(self.policy.wait(self.made - 1))
    }

    /// As [`next_wait`](Self::next_wait), for an error that is seldom transient. It is final when there were `most` such errors
    /// in a row.
    pub fn next_wait_of_few(&mut self, error: &Error, most: u32) -> Option<Duration> {
        let in_a_row = self.few_in_a_row.saturating_add(1);
        let wait = if in_a_row < most { self.next_wait(error) } else { None };
        self.few_in_a_row = in_a_row;
        wait
    }

    /// The wait before the next attempt at a server that limits the rate of requests; `None` where the error is final.
    ///
    /// Such a wait is no failed attempt and costs no retry: the server may answer many requests so, again and again. The
    /// error is final once the waits sum up to more than five minutes without progress, or if the policy allows no retry.
    ///
    /// If the server has asked for a wait, that is `asked`. The wait is then at least a second, and longer than `asked` by a
    /// random part of up to a half, at most by a second. Otherwise the waits grow as those between retries, from a tenth of a
    /// second on.
    pub fn limited_wait(&mut self, error: &Error, asked: Option<Duration>) -> Option<Duration> {
        self.few_in_a_row = 0;
        let (waits, sum) = self.limited.in_a_row;
        let (counted, wait) = match asked {
            Some(asked) => {
                let asked = asked.max(LEAST_ASKED);
                (asked, asked.saturating_add(random_part((asked / 2).min(Duration::from_secs(1)))))
            }
            None => {
                let wait = self.policy.wait(waits).max(LEAST_LIMITED);
                (wait, wait)
            }
        };
        let sum = sum.saturating_add(counted);
        if !error.is_retryable() || self.policy.retries == 0 || sum > LONGEST_LIMITED {
            return None;
        }
        let made = self.limited.made.saturating_add(1);
        self.limited = LimitedWaits { made, in_a_row: (waits.saturating_add(1), sum) };
        Some(wait)
    }

    /// The number of the attempt that is under way or about to begin; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.made.saturating_add(self.limited.made).saturating_add(1)
    }

    /// Starts counting again after progress. The budget stays spent.
    pub fn progressed(&mut self) {
        self.made = 0;
        self.few_in_a_row = 0;
        self.limited.in_a_row = (0, Duration::ZERO);
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
    fn errors_that_are_seldom_transient_are_final_after_few_in_a_row() {
        let mut retries = Retries::new(RetryPolicy::default(), RetryBudget::default());
        let gone = error(ErrorKind::Unavailable);
        assert!(retries.next_wait(&gone).is_some() && retries.next_wait(&gone).is_some());
        for _ in 0..2 {
            assert!((0..2).all(|_| retries.next_wait_of_few(&gone, 3).is_some()));
            assert_eq!(retries.clone().next_wait_of_few(&gone, 3), None);
            assert!(retries.limited_wait(&gone, None).is_some(), "the server has answered");
        }
        assert!(retries.next_wait(&gone).is_some());
        assert_eq!(retries.next_wait_of_few(&error(ErrorKind::Denied), 3), None);
        assert_eq!(
            Retries::new(RetryPolicy::never(), RetryBudget::default()).next_wait_of_few(&gone, 3),
            None
        );
    }

    #[test]
    fn a_limit_on_the_rate_costs_no_retry_and_ends_after_five_minutes_without_progress() {
        let budget = RetryBudget::new(1);
        let mut retries = Retries::new(RetryPolicy::default(), budget.clone());
        let (busy, minute) = (error(ErrorKind::Unavailable), Duration::from_secs(60));
        for _ in 0..2 {
            for _ in 0..5 {
                let wait = retries.limited_wait(&busy, Some(minute)).unwrap();
                assert!((minute..=minute + Duration::from_secs(1)).contains(&wait), "{wait:?}");
            }
            assert_eq!(retries.limited_wait(&busy, Some(minute)), None);
            retries.progressed();
        }
        assert_eq!((retries.attempt(), budget.left()), (11, 1));
        let short = retries.limited_wait(&busy, Some(Duration::from_millis(100))).unwrap();
        assert!((1000..=1500).contains(&short.as_millis()), "{short:?}");
        assert_eq!(retries.limited_wait(&error(ErrorKind::Denied), Some(minute)), None);
        let mut never = Retries::new(RetryPolicy::never(), budget);
        assert_eq!(never.limited_wait(&busy, Some(minute)), None);
    }

    #[test]
    fn without_a_stated_wait_the_waits_for_a_limit_grow_for_five_minutes() {
        let budget = RetryBudget::new(0);
        let mut retries = Retries::new(RetryPolicy::default(), budget);
        let busy = error(ErrorKind::Unavailable);
        for _ in 0..2 {
            let waits: Vec<Duration> = std::iter::from_fn(|| retries.limited_wait(&busy, None)).collect();
            assert!(waits.first().is_some_and(|wait| *wait <= Duration::from_millis(250)), "{waits:?}");
            assert!(waits.iter().skip(6).all(|wait| *wait >= Duration::from_secs(5)), "{waits:?}");
            let sum: Duration = waits.iter().sum();
            assert!((290..=300).contains(&sum.as_secs()), "{sum:?}");
            retries.progressed();
        }
    }

    #[test]
    fn waits_for_a_limit_are_bounded_however_short_or_long_they_are() {
        let busy = error(ErrorKind::Unavailable);
        let policy = RetryPolicy::default().with_waits(Duration::ZERO, Duration::ZERO);
        let mut retries = Retries::new(policy, RetryBudget::new(0));
        let waits = std::iter::from_fn(|| retries.limited_wait(&busy, None)).take(10_000);
        assert_eq!(waits.count(), 3000, "a tenth of a second each, for five minutes");
        let policy = RetryPolicy::default().with_waits(Duration::MAX, Duration::MAX);
        let mut retries = Retries::new(policy, RetryBudget::new(1));
        assert_eq!(retries.limited_wait(&busy, Some(Duration::MAX)), None);
        assert_eq!(retries.limited_wait(&busy, None), None);
        assert!(retries.next_wait(&busy).is_some_and(|wait| wait >= Duration::MAX / 2));
    }

    /// A registry in a container needs some seconds to start.
    #[test]
    fn a_server_may_take_ten_seconds_to_start_again() {
        for _ in 0..50 {
            let mut retries = Retries::new(RetryPolicy::default(), RetryBudget::default());
            let waits = std::iter::from_fn(|| retries.next_wait(&error(ErrorKind::Unavailable)));
            let sum: Duration = waits.sum();
            assert!((10..=30).contains(&sum.as_secs()), "{sum:?}");
        }
    }

    #[test]
    fn what_was_tried_often_enough_below_is_not_tried_again_above() {
        let mut retries = Retries::new(RetryPolicy::default(), RetryBudget::default());
        assert!(retries.next_wait(&error(ErrorKind::Unavailable).tried_enough()).is_none());
    }
}
