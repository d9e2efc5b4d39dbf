//! One fsync of a folder for all the renames that wait for it.
//!
//! A caller that comes while an fsync is under way waits for the next one, which covers all callers that came meanwhile.
//! A failed fsync fails every caller that it would have covered, even if a later one succeeds before they see the
//! failure: a kernel may report a lost write only once.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::layout::durability::disk::Disk;
use crate::{Error, ErrorKind};

/// Shares the fsyncs of one folder among threads.
#[derive(Debug, Default)]
pub(crate) struct FolderSync {
    /// The last ticket that was taken; the first is 1.
    taken: AtomicU64,
    state: Mutex<TicketState>,
}

/// Which tickets are settled, and how.
#[derive(Debug, Default)]
struct TicketState {
    /// The last ticket that an fsync has covered.
    covered: u64,
    failures: Vec<FailedSync>,
}

/// A failed fsync that some of its waiters have not yet seen.
#[derive(Debug)]
struct FailedSync {
    tickets: RangeInclusive<u64>,
    /// How many waiters have not seen it.
    unseen: u64,
}

impl FolderSync {
    /// Returns when everything that was renamed into the folder before the call is durable.
    pub(crate) fn sync(&self, disk: &Disk, folder: &Path) -> Result<(), Error> {
        let ticket = self.take_ticket();
        self.settle(ticket, folder, |folder| disk.sync_folder(folder))
    }

    fn take_ticket(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The outcome of a ticket, to be asked for once. Runs `sync` if no fsync has covered the ticket yet.
    fn settle(
        &self,
        ticket: u64,
        folder: &Path,
        sync: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.covered >= ticket {
            if state.has_failed(ticket) {
                let reason = "it failed for another blob that was stored at the same time";
                return Err(Error::new(ErrorKind::Other, "sync", folder.display(), reason));
            }
            return Ok(());
        }
        let (first, last) = (state.covered + 1, self.taken.load(Ordering::SeqCst));
        let synced = sync(folder);
        state.covered = last;
        if synced.is_err() && first < last {
            // The caller is one of the waiters, and sees it here.
            state.failures.push(FailedSync { tickets: first..=last, unseen: last - first });
        }
        synced
    }
}

impl TicketState {
    /// Whether the fsync that covered a ticket has failed. The failure is forgotten once all its waiters have seen it.
    fn has_failed(&mut self, ticket: u64) -> bool {
        let Some(failure) = self.failures.iter_mut().find(|failure| failure.tickets.contains(&ticket)) else {
            return false;
        };
        failure.unseen -= 1;
        self.failures.retain(|failure| failure.unseen > 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(folder: &Path) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Other, "sync", folder.display(), "the disk is broken"))
    }

    fn never(_: &Path) -> Result<(), Error> {
        panic!("this ticket is covered already")
    }

    #[test]
    fn a_failure_is_told_to_all_whom_it_covered_even_after_a_later_success() {
        let (shared, folder) = (FolderSync::default(), Path::new("blobs"));
        let tickets: Vec<_> = (0..3).map(|_| shared.take_ticket()).collect();
        assert!(shared.settle(tickets[0], folder, fail).is_err());
        let later = [shared.take_ticket(), shared.take_ticket()];
        shared.settle(later[1], folder, |_| Ok(())).unwrap();
        let error = shared.settle(tickets[2], folder, never).unwrap_err();
        assert!(error.reason().contains("another blob"), "{error}");
        shared.settle(later[0], folder, never).unwrap();
        let alone = shared.take_ticket();
        assert!(shared.settle(alone, folder, fail).is_err());
        assert!(shared.settle(tickets[1], folder, never).is_err());
        assert!(shared.state.lock().unwrap().failures.is_empty(), "all have heard of it");
    }

    #[test]
    fn two_failures_are_told_apart_from_the_success_between_them() {
        let (shared, folder) = (FolderSync::default(), Path::new("blobs"));
        let pair = || [shared.take_ticket(), shared.take_ticket()];
        let first = pair();
        assert!(shared.settle(first[1], folder, fail).is_err());
        let second = pair();
        shared.settle(second[1], folder, |_| Ok(())).unwrap();
        let third = pair();
        assert!(shared.settle(third[1], folder, fail).is_err());
        let settled = [third[0], second[0], first[0]].map(|t| shared.settle(t, folder, never).is_ok());
        assert_eq!(settled, [false, true, false]);
    }
}
