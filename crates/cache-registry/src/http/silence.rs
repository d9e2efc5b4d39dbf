//! Waiting for a server: for a limited time, and with a report if it is silent for long.
//!
//! What is waited for, and what a silence means, is up to the caller.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_ingest::{Event, Job};
use reqwest::Url;
use tokio::time::timeout;

use crate::error::Operation;
use crate::lock::lock;
use crate::options::ClientOptions;

/// After how long a user wants to know why nothing moves.
const REPORTED_AFTER: Duration = Duration::from_secs(5);

/// How long servers may be silent, and who hears of it. Clones share what they have reported.
#[derive(Clone, Debug)]
pub(crate) struct SilenceWatch {
    limit: Duration,
    job: Job,
    /// The servers whose silence has been reported since they were last heard. One report serves all requests that wait.
    reported: Arc<Mutex<HashSet<String>>>,
}

impl SilenceWatch {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self { limit: options.stall, job: options.job.clone(), reported: Arc::default() }
    }

    /// How long a server may be silent.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for something of the server at a URL; `None` if it does not come within `limit`.
    pub(crate) async fn bound<F: Future>(
        &self,
        limit: Duration,
        url: &Url,
        operation: &Operation,
        awaited: F,
    ) -> Option<F::Output> {
        let mut awaited = pin!(awaited);
        let first = limit.min(REPORTED_AFTER);
        if let Ok(came) = timeout(first, awaited.as_mut()).await {
            return Some(came);
        }
        if first == limit {
            return None;
        }
        self.report(url, operation);
        timeout(limit.saturating_sub(first), awaited).await.ok()
    }

    /// Notes that bytes of the server at a URL have arrived.
    pub(crate) fn heard(&self, url: &Url) {
        let mut reported = lock(&self.reported);
        if !reported.is_empty() {
            reported.remove(&server(url));
        }
    }

    fn report(&self, url: &Url, operation: &Operation) {
        let host = server(url);
        if !lock(&self.reported).insert(host.clone()) {
            return;
        }
        let request = format!("{} {}", operation.verb, operation.subject);
        self.job.event(&Event::Waiting { host: &host, request: &request, silent: REPORTED_AFTER });
    }
}

/// The host and port of a URL.
fn server(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}
