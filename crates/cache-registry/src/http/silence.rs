//! Waiting for a server: for a limited time, and with a report if it is silent for long.
//!
//! What is waited for, and what a silence means, is up to the caller.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_ingest::{Event, Job};
use reqwest::Url;
use tokio::time::timeout;

use crate::error::Operation;
use crate::options::ClientOptions;

/// After how long a user wants to know why nothing moves.
const REPORTED_AFTER: Duration = Duration::from_secs(5);

/// How long servers may be silent, and who hears of it. Clones share what they have reported.
#[derive(Clone, Debug)]
pub(crate) struct SilenceWatch {
    limit: Duration,
    job: Job,
    /// Whether a silence has been reported since the last answer. One report serves all requests that wait.
    is_reported: Arc<AtomicBool>,
}

impl SilenceWatch {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self { limit: options.stall, job: options.job.clone(), is_reported: Arc::default() }
    }

    /// How long a server may be silent.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for an answer of the server at a URL; `None` if there is none within `limit`.
    pub(crate) async fn bound<F: Future>(
        &self,
        limit: Duration,
        url: &Url,
        operation: &Operation,
        answer: F,
    ) -> Option<F::Output> {
        let mut answer = pin!(answer);
        let first = limit.min(REPORTED_AFTER);
        let mut answered = timeout(first, answer.as_mut()).await.ok();
        if answered.is_none() && first < limit {
            self.report(url, operation);
            answered = timeout(limit.saturating_sub(first), answer).await.ok();
        }
        if answered.is_some() {
            self.is_reported.store(false, Ordering::Relaxed);
        }
        answered
    }

    fn report(&self, url: &Url, operation: &Operation) {
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", url.host_str().unwrap_or_default());
        let request = format!("{} {}", operation.verb, operation.subject);
        self.job.event(&Event::Waiting { host: &host, request: &request, silent: REPORTED_AFTER });
    }
}
