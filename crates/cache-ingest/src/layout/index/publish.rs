//! Puts an entry into `index.json`: read, compared, replaced by a rename, under the lock.
//!
//! The index is never changed in place. It never names a manifest before everything that this process stored is durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_model::{Algorithm, Descriptor};

use crate::layout::durability::lock::IndexLock;
use crate::layout::folder::LayoutFolder;
use crate::layout::index::file::{IndexFile, PAUSE, READS};
use crate::layout::marker;
use crate::layout::threads::blocking::blocking;
use crate::random::random;
use crate::runtime::pause;
use crate::{AboveMetadataLimit, Error, ErrorKind, Expect, Name};

/// The longest wait between two tries to take the lock, in milliseconds.
const LONGEST_WAIT: u64 = 100;

/// How a try to publish ended, short of an error.
enum Attempt {
    Done,
    /// The index is empty or cut short: another process may be writing it in place.
    Unsettled,
    Hindered(Hindrance),
}

/// Why another process hinders a publish.
#[derive(Clone, Copy)]
enum Hindrance {
    /// It held the lock.
    Locked,
    /// It replaced the index, or the lock file that this process had locked.
    Changed,
}

/// Publishes manifests in one layout. Clones share its folder.
#[derive(Clone, Debug)]
pub(crate) struct IndexPublisher {
    folder: Arc<LayoutFolder>,
    index: IndexFile,
    /// How long a publish waits for other processes.
    lock_wait: Duration,
}

impl IndexPublisher {
    pub(crate) fn new(folder: Arc<LayoutFolder>, index: IndexFile, lock_wait: Duration) -> Self {
        Self { folder, index, lock_wait }
    }

    /// Makes a name stand for a manifest whose blob is stored.
    pub(crate) async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        expect: Expect,
    ) -> Result<(), Error> {
        // Blobs that other processes have stored may still wait for a sync. It is done before the lock is taken: BuildKit
        // fails, and does not wait, while we hold the lock.
        let publisher = self.clone();
        blocking("sync", move || publisher.sync_all()).await?;
        let deadline = Instant::now() + self.lock_wait;
        let (mut longest, mut read) = (10, 1);
        loop {
            let (publisher, name, descriptor) = (self.clone(), name.clone(), descriptor.clone());
            let is_last = read >= READS;
            let attempt = move || publisher.try_publish(&name, &descriptor, expect, is_last);
            match blocking("publish", attempt).await? {
                Attempt::Done => return Ok(()),
                Attempt::Unsettled => {
                    read += 1;
                    pause("publish", PAUSE).await?;
                }
                Attempt::Hindered(by) if Instant::now() >= deadline => return Err(self.gave_up(by)),
                Attempt::Hindered(_) => {
                    read = 1;
                    pause("publish", Duration::from_millis(longest / 2 + random() % longest)).await?;
                    longest = (longest * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// The error of a publish that other processes hindered for as long as it may wait.
    fn gave_up(&self, by: Hindrance) -> Error {
        let (operation, file, what) = match by {
            Hindrance::Locked => ("lock", "index.json.lock", "another process holds the lock"),
            Hindrance::Changed => ("replace", "index.json", "another process keeps changing it"),
        };
        let wait = self.lock_wait;
        let reason = format_args!("{what}, for {wait:?} now; try again when it has finished");
        Error::new(ErrorKind::Conflict, operation, self.folder.root().join(file).display(), reason)
    }

    /// Tries once. `is_last` says that an index which is empty or cannot be parsed is to be believed.
    fn try_publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        expect: Expect,
        is_last: bool,
    ) -> Result<Attempt, Error> {
        let (folder, disk) = (&self.folder, self.folder.disk());
        let Some(lock) = IndexLock::try_take(disk, folder.root())? else {
            return Ok(Attempt::Hindered(Hindrance::Locked));
        };
        let before = self.index.read_text()?;
        let Some(mut index) = self.index.parse_settled(before.as_deref(), is_last)? else {
            return Ok(Attempt::Unsettled);
        };
        // An entry without a valid digest is neither a free name nor a digest that anyone can expect.
        if let (Expect::Absent | Expect::Digest(_), Some(entry)) = (expect, index.find(name)) {
            expect.check(name, Some(entry.descriptor()?.digest))?;
        } else {
            expect.check(name, None)?;
        }
        index.put(name, descriptor);
        let after = index.text();
        if before.as_ref() != Some(&after) {
            self.check_size(after.len() as u64)?;
            let mut staged = folder.stage()?;
            staged.write(&after)?;
            staged.sync()?;
            if !lock.is_held() || self.index.read_text()? != before {
                return Ok(Attempt::Hindered(Hindrance::Changed));
            }
            staged.rename(self.index.path())?;
        } else {
            folder.sync_text("index.json")?;
        }
        disk.sync_folder(folder.root())?;
        Ok(Attempt::Done)
    }

    /// Refuses to write an index that could not be read again.
    fn check_size(&self, size: u64) -> Result<(), Error> {
        let limit = self.index.limit();
        if size <= limit {
            return Ok(());
        }
        let cause = AboveMetadataLimit { size: Some(size), limit };
        let reason = format_args!("{cause}; publish to another folder, or take tags out of this one");
        let path = self.index.path().display();
        Err(Error::new(ErrorKind::TooLarge, "write", path, reason).with_cause(cause))
    }

    /// Makes everything durable that the index may name, and removes the parts of puts that were given up.
    fn sync_all(&self) -> Result<(), Error> {
        self.folder.prepare()?;
        self.folder.remove_parts();
        marker::complete(&self.folder)?;
        self.folder.sync_blobs(Algorithm::Sha256)?;
        self.folder.sync_blobs(Algorithm::Sha512)
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
        let publisher = IndexPublisher::new(folder, index, Duration::from_secs(2));
        let told = [Hindrance::Locked, Hindrance::Changed].map(|by| publisher.gave_up(by));
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
