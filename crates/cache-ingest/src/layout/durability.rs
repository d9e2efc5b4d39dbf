//! Changes on disk, and making them durable: staged files, fsyncs, the lock of the index.
//!
//! Nothing here knows blobs or entries.

pub(crate) mod clone;
pub(crate) mod disk;
pub(crate) mod folder_sync;
pub(crate) mod leftovers;
pub(crate) mod lock;
pub(crate) mod staging;
