//! The Tokio runtime that the stores and copies run in: its threads for blocking work, and its timer.
//!
//! Outside of a runtime these give an error where Tokio itself would panic.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::Error;

/// The runtime that the caller runs in.
pub(crate) fn runtime(operation: &'static str) -> Result<Handle, Error> {
    Handle::try_current().map_err(|cause| Error::no_runtime(operation, "a blob or file").with_cause(cause))
}

/// Waits for a time. Panics in a runtime without a timer: Tokio has no way to ask for one.
pub(crate) async fn pause(operation: &'static str, wait: Duration) -> Result<(), Error> {
    runtime(operation)?;
    tokio::time::sleep(wait).await;
    Ok(())
}
