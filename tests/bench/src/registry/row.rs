//! The jobs of a registry bench, and what each took in all rounds.

use std::fmt;
use std::time::Duration;

use crate::process::Used;

/// The measured jobs, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// The lower bound of a push.
    BarePush,
    SkopeoPush,
    Push,
    SkopeoPull,
    /// Without fsync, as skopeo pulls.
    UnsyncedPull,
    Pull,
}

impl Job {
    pub(super) const ALL: [Self; 6] =
        [Self::BarePush, Self::SkopeoPush, Self::Push, Self::SkopeoPull, Self::UnsyncedPull, Self::Pull];

    pub(super) fn is_push(self) -> bool {
        matches!(self, Self::BarePush | Self::SkopeoPush | Self::Push)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SkopeoPush => "skopeo copy, push",
            Self::Push => "bkcache copy, push",
            Self::BarePush => "sendfile, push",
            Self::SkopeoPull => "skopeo copy, pull",
            Self::UnsyncedPull => "bkcache copy --no-sync, pull",
            Self::Pull => "bkcache copy, pull",
        })
    }
}

/// The measurements of a job in all rounds.
pub(super) struct Row {
    pub(super) job: Job,
    /// The wall times, the best first.
    pub(super) times: Vec<Duration>,
    pub(super) used: Used,
    /// The least processor time of the registry in a run; `None` where the system does not give it.
    pub(super) server: Option<Duration>,
}

impl Row {
    pub(super) fn best(&self) -> Duration {
        self.times.first().copied().unwrap_or_default()
    }

    pub(super) fn median(&self) -> Duration {
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}
