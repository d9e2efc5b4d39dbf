//! The bounds and the progress that all steps of one job share: made once, passed to each step.
//!
//! Nothing here reads, writes or waits.

mod begun;
mod progress;
mod retry;

use std::fmt;
use std::sync::Arc;

pub use begun::BegunStep;
pub use progress::{Event, Progress, Step};
pub use retry::{Retries, RetryBudget, RetryPolicy};

/// The bounds and the progress of one job, such as one copy of a cache.
///
/// Every read, write and request of the job takes the same `Job`, or a clone: clones share the budget and the progress.
///
/// ```
/// use cache_ingest::{Event, Job, RetryBudget};
/// let job = Job::default()
///     .with_budget(RetryBudget::new(10))
///     .with_max_metadata(128 << 20)
///     .with_progress(|event: &Event<'_>| eprintln!("{event}"));
/// # let _ = job;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Job {
    /// How often one blob or one request is tried again.
    pub retry: RetryPolicy,
    /// How many retries the whole job may make.
    pub budget: RetryBudget,
    /// How many blobs are copied or asked about at once; 16 by default. 0 counts as 1.
    pub concurrency: usize,
    /// The greatest size, in bytes, of a manifest, an index, a config or a list of tags;
    /// [`DEFAULT_MAX_METADATA`](Self::DEFAULT_MAX_METADATA) by default.
    pub max_metadata: u64,
    /// Receives the events of the job.
    pub progress: Arc<dyn Progress>,
}

impl Job {
    /// The default of [`max_metadata`](Self::max_metadata): 64 MiB.
    pub const DEFAULT_MAX_METADATA: u64 = 64 << 20;

    /// A job that tries nothing again.
    pub fn without_retries() -> Self {
        Self::default().with_retry(RetryPolicy::never()).with_budget(RetryBudget::new(0))
    }

    /// The same job, with another policy of retries.
    #[must_use]
    pub fn with_retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// The same job, with a budget of retries that it may share with others.
    #[must_use]
    pub fn with_budget(self, budget: RetryBudget) -> Self {
        Self { budget, ..self }
    }

    /// The same job, with this many blobs under way at once.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    /// The same job, with this limit of bytes for metadata.
    #[must_use]
    pub fn with_max_metadata(self, max_metadata: u64) -> Self {
        Self { max_metadata, ..self }
    }

    /// The same job with another receiver of events: a [`Progress`], an `Arc` of one, or a closure.
    #[must_use]
    pub fn with_progress(self, progress: impl Progress + 'static) -> Self {
        Self { progress: Arc::new(progress), ..self }
    }

    /// Retries of one blob or one request, within the job's policy and budget.
    pub fn retries(&self) -> Retries {
        Retries::new(self.retry.clone(), self.budget.clone())
    }

    /// Reports an event.
    pub fn event(&self, event: &Event<'_>) {
        self.progress.event(event);
    }
}

impl Default for Job {
    /// The default policy and a budget of its own, without progress.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            budget: RetryBudget::default(),
            concurrency: 16,
            max_metadata: Self::DEFAULT_MAX_METADATA,
            progress: Arc::new(()),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("retry", &self.retry)
            .field("budget", &self.budget)
            .field("concurrency", &self.concurrency)
            .field("max_metadata", &self.max_metadata)
            .finish_non_exhaustive()
    }
}
