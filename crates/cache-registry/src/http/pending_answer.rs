//! A request that is under way in a task of its own: it goes on to its end, whether or not its answer is waited for.
//!
//! Whether the answer is wanted, and how long, is up to the caller.

use cache_ingest::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::error::{Operation, RequestFailure};
use crate::http::transport::Answer;

/// The answer to a request that goes on if this is dropped.
#[derive(Debug)]
pub(crate) struct PendingAnswer {
    /// `None` once the answer has been got.
    task: Option<JoinHandle<Result<Answer, RequestFailure>>>,
    operation: Operation,
}

impl PendingAnswer {
    /// Starts the request of an operation on the runtime of the caller.
    pub(crate) fn spawn<F>(operation: &Operation, request: F) -> Result<Self, Error>
    where
        F: Future<Output = Result<Answer, RequestFailure>> + Send + 'static,
    {
        let runtime =
            Handle::try_current().map_err(|_| Error::no_runtime(operation.verb, &operation.subject))?;
        Ok(Self { task: Some(runtime.spawn(request)), operation: operation.clone() })
    }

    /// Waits for the answer, which can be got once. The request goes on if the wait is dropped.
    pub(crate) async fn answer(&mut self) -> Result<Answer, RequestFailure> {
        let ended = || self.operation.error(ErrorKind::Other, "its request was ended");
        let Some(task) = &mut self.task else { return Err(ended().into()) };
        let answer = task.await.unwrap_or_else(|cause| Err(ended().with_cause(cause).into()));
        self.task = None;
        answer
    }

    /// Breaks the request off.
    pub(crate) fn break_off(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
