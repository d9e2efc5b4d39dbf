//! Reads `index.json` under its lock, so that a change is made to the index that was read: tried again while other processes
//! hinder it.
//!
//! BuildKit fails, and does not wait, while this process holds the lock. So everything that can be done without the lock is: a
//! change holds it for a few file operations, a collection for listing blobs and one rename for each that it takes away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::layout::durability::lock::IndexLock;
use crate::layout::folder::LayoutFolder;
use crate::layout::index::document::Index;
use crate::layout::index::file::{IndexFile, PAUSE, READS};
use crate::layout::threads::blocking::blocking;
use crate::random::random;
use crate::runtime::pause;
use crate::{AboveMetadataLimit, Error, ErrorKind};

/// The longest wait between two tries to take the lock, in milliseconds.
const LONGEST_WAIT: u64 = 100;

/// How a try ended, short of an error.
pub(crate) enum Attempt<T> {
    Done(T),
    /// The index is empty or cut short: another process may be writing it in place.
    Unsettled,
    Hindered(Hindrance),
}

/// How another process hinders a change.
#[derive(Clone, Copy)]
pub(crate) enum Hindrance {
    /// It held the lock.
    Locked,
    /// It replaced the index, or the lock file that this process had locked.
    Changed,
}

/// Takes the lock of one layout's index. Clones share its folder.
#[derive(Clone, Debug)]
pub(crate) struct IndexLocker {
    folder: Arc<LayoutFolder>,
    index: IndexFile,
    /// How long it waits for other processes.
    lock_wait: Duration,
}

/// The index as it was read after the lock was taken.
pub(crate) struct LockedIndex<'l> {
    locker: &'l IndexLocker,
    lock: IndexLock,
    before: Option<Vec<u8>>,
    /// What it says, to be changed.
    pub(crate) index: Index,
}

impl IndexLocker {
    pub(crate) fn new(folder: Arc<LayoutFolder>, index: IndexFile, lock_wait: Duration) -> Self {
        Self { folder, index, lock_wait }
    }

    pub(crate) fn folder(&self) -> &Arc<LayoutFolder> {
        &self.folder
    }

    pub(crate) fn index(&self) -> &IndexFile {
        &self.index
    }

    /// Does `work` under the lock, and again until no other process hinders it or the wait is over.
    pub(crate) async fn attempt<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&mut LockedIndex<'_>) -> Result<Attempt<T>, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let work = Arc::new(work);
        let deadline = Instant::now() + self.lock_wait;
        let (mut longest, mut read) = (10, 1);
        loop {
            let (locker, work, is_last) = (self.clone(), Arc::clone(&work), read >= READS);
            match blocking(operation, move || locker.attempt_once(&*work, is_last)).await? {
                Attempt::Done(done) => return Ok(done),
                Attempt::Unsettled => {
                    read += 1;
                    pause(operation, PAUSE).await?;
                }
                Attempt::Hindered(by) if Instant::now() >= deadline => return Err(self.gave_up(by)),
                Attempt::Hindered(_) => {
                    read = 1;
                    pause(operation, Duration::from_millis(longest / 2 + random() % longest)).await?;
                    longest = (longest * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Tries once. `is_last` says that an index which is empty or cannot be parsed is to be believed.
    fn attempt_once<T>(
        &self,
        work: &dyn Fn(&mut LockedIndex<'_>) -> Result<Attempt<T>, Error>,
        is_last: bool,
    ) -> Result<Attempt<T>, Error> {
        let Some(lock) = IndexLock::try_take(self.folder.disk(), self.folder.root())? else {
            return Ok(Attempt::Hindered(Hindrance::Locked));
        };
        let before = self.index.read_text()?;
        match self.index.parse_settled(before.as_deref(), is_last)? {
            Some(index) => work(&mut LockedIndex { locker: self, lock, before, index }),
            None => Ok(Attempt::Unsettled),
        }
    }

    /// The error of a change that other processes hindered for as long as it may wait.
    fn gave_up(&self, by: Hindrance) -> Error {
        let (operation, file, what) = match by {
            Hindrance::Locked => ("lock", "index.json.lock", "another process holds the lock"),
            Hindrance::Changed => ("replace", "index.json", "another process keeps changing it"),
        };
        let wait = self.lock_wait;
        let reason = format_args!("{what}, for {wait:?} now; try again when it has finished");
        Error::new(ErrorKind::Conflict, operation, self.folder.root().join(file).display(), reason)
    }
}

impl LockedIndex<'_> {
    /// Whether there is a file.
    pub(crate) fn has_file(&self) -> bool {
        self.before.is_some()
    }

    /// Whether this process still holds the lock, and nobody has changed the index since it was read.
    pub(crate) fn is_current(&self) -> Result<bool, Error> {
        Ok(self.lock.is_held() && self.locker.index.read_text()? == self.before)
    }

    /// Makes the index durable as it is: the process that wrote it may not have waited for the disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let folder = &self.locker.folder;
        folder.sync_text("index.json")?;
        folder.disk().sync_folder(folder.root())
    }

    /// Replaces the file by the changed index, durably. It is never changed in place.
    pub(crate) fn write(&self) -> Result<Attempt<()>, Error> {
        let folder = &self.locker.folder;
        let after = self.index.text();
        if self.before.as_ref() == Some(&after) {
            return self.sync().map(Attempt::Done);
        }
        self.check_size(after.len() as u64)?;
        let mut staged = folder.stage()?;
        staged.write(&after)?;
        staged.sync()?;
        if !self.is_current()? {
            return Ok(Attempt::Hindered(Hindrance::Changed));
        }
        staged.rename(self.locker.index.path())?;
        folder.disk().sync_folder(folder.root()).map(Attempt::Done)
    }

    /// Refuses to write an index that could not be read again.
    fn check_size(&self, size: u64) -> Result<(), Error> {
        let limit = self.locker.index.limit();
        if size <= limit {
            return Ok(());
        }
        let cause = AboveMetadataLimit { size: Some(size), limit };
        let reason = format_args!("{cause}; publish to another folder, or take tags out of this one");
        let path = self.locker.index.path().display();
        Err(Error::new(ErrorKind::TooLarge, "write", path, reason).with_cause(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::durability::disk::Disk;

    #[test]
    fn a_lock_that_is_held_and_an_index_that_changes_are_told_apart() {
        let folder = Arc::new(LayoutFolder::new("cache".into(), Disk::new(None, true)));
        let index = IndexFile::new(folder.root(), 1000, true);
        let locker = IndexLocker::new(folder, index, Duration::from_secs(2));
        let told = [Hindrance::Locked, Hindrance::Changed].map(|by| locker.gave_up(by));
        assert!(told.iter().all(|error| error.kind() == ErrorKind::Conflict));
        let wait = "for 2s now; try again when it has finished";
        let path = |name: &str| std::path::Path::new("cache").join(name).display().to_string();
        assert_eq!(
            told.map(|error| error.to_string()),
            [
                format!("lock {}: another process holds the lock, {wait}", path("index.json.lock")),
                format!("replace {}: another process keeps changing it, {wait}", path("index.json")),
            ]
        );
    }
}
