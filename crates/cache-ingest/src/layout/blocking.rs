//! Runs file operations on the threads that may block.
//!
//! Nothing of this store touches a file on a thread that other tasks wait for, save the opening of one.

use crate::{Error, ErrorKind};

/// Runs `work` where it may block. When the future is dropped, work that has begun runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(cause) => {
            let reason = "the thread that did it was stopped";
            Err(Error::new(ErrorKind::Other, operation, "file", reason).with_cause(cause))
        }
    }
}
