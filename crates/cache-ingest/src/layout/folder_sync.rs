//! One fsync of a folder for all the renames that wait for it.
//!
//! Whoever comes while one is under way waits for the next, which covers everyone who came meanwhile. A failed one is
//! a failure for all whom it would have covered: a kernel may report a lost write only once.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::layout::files::sync_folder;
use crate::{Error, ErrorKind};

/// Shares the fsyncs of one folder among threads.
#[derive(Debug, Default)]
pub(crate) struct FolderSync {
    /// How many have asked.
    requested: AtomicU64,
    last: Mutex<Last>,
}

/// How many of those who asked the last fsync has covered, and whether it failed.
#[derive(Debug, Default)]
struct Last {
    covered: u64,
    failed: bool,
}

impl FolderSync {
    /// Returns when everything that was renamed into the folder before the call is durable.
    pub(crate) fn sync(&self, folder: &Path) -> Result<(), Error> {
        let ticket = self.requested.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.covered >= ticket {
            if last.failed {
                let reason = "it failed for another blob that was stored at the same time";
                return Err(Error::new(ErrorKind::Other, "sync", folder.display(), reason));
            }
            return Ok(());
        }
        last.covered = self.requested.load(Ordering::SeqCst);
        let synced = sync_folder(folder);
        last.failed = synced.is_err();
        synced
    }
}
