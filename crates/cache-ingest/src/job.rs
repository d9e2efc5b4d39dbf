//! What the steps of one job share: how often something is tried again, and who hears of it.

mod progress;
mod retry;

pub use progress::{Event, Progress, Step};
pub use retry::{Retries, RetryBudget, RetryPolicy};
