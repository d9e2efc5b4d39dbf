//! The measurements of a program in all rounds of a copy bench.

use std::time::Duration;

use super::programs::Program;
use crate::process::Used;

/// The measurements of a program in all rounds.
pub(super) struct Row {
    pub(super) program: Program,
    /// The wall times, the best first.
    pub(super) times: Vec<Duration>,
    /// The least processor time and the highest peak of memory; `None` where no process was measured.
    pub(super) used: Option<Used>,
}

impl Row {
    pub(super) fn best(&self) -> Duration {
        self.times.first().copied().unwrap_or_default()
    }

    pub(super) fn median(&self) -> Duration {
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}
