//! An attempt to find or request something, made by one task for all that wait for it. They share its failure, too.
//!
//! Otherwise each would wait in turn for a server or a program that does not answer. The result is kept by the caller.

use std::sync::Mutex;

use cache_ingest::ErrorKind;

use crate::error::{Operation, RequestFailure, RetryAfter};
use crate::lock::lock;

/// The attempts to get one thing, one at a time.
#[derive(Debug, Default)]
pub(crate) struct SharedAttempt {
    /// How many have failed, and the last failure.
    failures: Mutex<(u64, Option<SharedFailure>)>,
    /// Held by the one that is under way.
    under_way: tokio::sync::Mutex<()>,
}

/// A failure without the operation that met it, so that each waiting operation can report it as its own.
#[derive(Clone, Debug)]
struct SharedFailure {
    kind: ErrorKind,
    reason: String,
    retry_after: Option<RetryAfter>,
}

impl SharedAttempt {
    /// What is `kept`; else the result of the attempt, which has to keep it, or of the one that is under way.
    pub(crate) async fn get<T>(
        &self,
        operation: &Operation,
        kept: impl Fn() -> Option<T>,
        attempt: impl Future<Output = Result<T, RequestFailure>>,
    ) -> Result<T, RequestFailure> {
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        let before = lock(&self.failures).0;
        let _one_at_a_time = self.under_way.lock().await;
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        if let (now, Some(SharedFailure { kind, reason, retry_after })) = lock(&self.failures).clone()
            && now != before
        {
            return Err(RequestFailure { error: operation.error(kind, reason), retry_after });
        }
        let result = attempt.await;
        if let Err(RequestFailure { error, retry_after }) = &result {
            let (kind, reason) = (error.kind(), error.reason().to_owned());
            let mut failures = lock(&self.failures);
            let failure = SharedFailure { kind, reason, retry_after: *retry_after };
            *failures = (failures.0.wrapping_add(1), Some(failure));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn all_that_wait_share_one_failure_and_the_next_attempt_is_made_again() {
        let (shared, made) = (SharedAttempt::default(), AtomicUsize::new(0));
        let operations =
            ["a", "b", "c"].map(|subject| Operation::new("open", subject, &"r.example/app".parse().unwrap()));
        let kept = Mutex::new(None);
        for (round, outcome) in [Err("it hangs"), Err("it hangs"), Ok(7)].into_iter().enumerate() {
            let got = join_all(operations.iter().map(|operation| {
                shared.get(operation, || *lock(&kept), async {
                    made.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(20)).await;
                    let value = outcome.map_err(|reason| operation.error(ErrorKind::Denied, reason))?;
                    *lock(&kept) = Some(value);
                    Ok(value)
                })
            }));
            let texts: Vec<_> =
                got.await.into_iter().map(|got| got.map_err(|f| f.error.to_string())).collect();
            let expected =
                ["a", "b", "c"].map(|subject| outcome.map_err(|reason| format!("open {subject}: {reason}")));
            assert_eq!((texts, made.load(Ordering::SeqCst)), (expected.to_vec(), round + 1));
        }
    }
}
