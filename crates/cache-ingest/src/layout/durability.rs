//! Changes on disk and what makes them last: staged files, fsyncs, the lock of the index.
//!
//! Nothing here knows what a blob or an index is.

pub(crate) mod clone;
pub(crate) mod disk;
pub(crate) mod folder_sync;
pub(crate) mod lock;
pub(crate) mod staging;
