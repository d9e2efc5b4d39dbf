//! The threads that work on files, so that no task of the runtime waits for a disk.

pub(crate) mod blocking;
pub(crate) mod queue;
