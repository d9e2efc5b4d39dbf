//! Puts an entry into `index.json`: read, compared, replaced by rename, under the lock.
//!
//! The index is never changed in place, and never names what this process has put before that is durable.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_model::{Algorithm, Descriptor};
use tokio::time::sleep;

use crate::layout::durability::lock::IndexLock;
use crate::layout::files::{blob_folder, open_at_once};
use crate::layout::index::file::{PAUSE, READS};
use crate::layout::store::{LAYOUT_FILE, LayoutStore};
use crate::layout::threads::blocking::blocking;
use crate::random::random;
use crate::{AboveMetadataLimit, Error, ErrorKind, Expect, Ingester, Name, Source, Verifier};

/// The longest wait between two tries for the lock, in milliseconds.
const LONGEST_WAIT: u64 = 100;

/// How a try to publish ended, short of an error.
enum Outcome {
    Done,
    /// The index is empty or cut short: another process may be writing it in place.
    Unsettled,
    Hindered(Hindrance),
}

/// What another process did.
#[derive(Clone, Copy)]
enum Hindrance {
    /// It had the lock.
    Locked,
    /// It replaced the index, or the lock that we held.
    Changed,
}

impl LayoutStore {
    pub(crate) async fn publish_manifest(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        let name = name.to_publish(descriptor)?;
        // The put looks at the blob that is there already, and then not at these bytes.
        let mut verifier = Verifier::new(descriptor);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let source = Source::from_bytes(descriptor.clone(), bytes);
        self.put(descriptor, &source).await?;
        // What others have stored and this manifest names may wait for a sync still. It is done before the lock is
        // taken, as BuildKit fails rather than waits while we hold it.
        let store = self.clone();
        blocking("sync", move || {
            store.prepare_for_writing()?;
            store.sync_text(LAYOUT_FILE)?;
            store.sync_blobs(Algorithm::Sha256)?;
            store.sync_blobs(Algorithm::Sha512)
        })
        .await?;
        let deadline = Instant::now() + self.lock_wait();
        let (mut longest, mut read) = (10, 1);
        loop {
            let (store, name, descriptor) = (self.clone(), name.clone(), descriptor.clone());
            let is_last = read >= READS;
            let tried =
                blocking("publish", move || store.try_publish(&name, &descriptor, expect, is_last)).await?;
            match tried {
                Outcome::Done => return Ok(()),
                Outcome::Unsettled => {
                    read += 1;
                    sleep(PAUSE).await;
                }
                Outcome::Hindered(by) if Instant::now() >= deadline => return Err(self.gave_up(by)),
                Outcome::Hindered(_) => {
                    read = 1;
                    sleep(Duration::from_millis(longest / 2 + random() % longest)).await;
                    longest = (longest * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// The error of a publish that was hindered for as long as it may wait.
    fn gave_up(&self, by: Hindrance) -> Error {
        let (operation, file, what) = match by {
            Hindrance::Locked => ("lock", "index.json.lock", "another process holds the lock"),
            Hindrance::Changed => ("replace", "index.json", "another process keeps changing it"),
        };
        let wait = self.lock_wait();
        let reason = format_args!("{what}, for {wait:?} now; try again when it has finished");
        Error::new(ErrorKind::Conflict, operation, self.path().join(file).display(), reason)
    }

    /// Tries once. `is_last` says that an index which is empty or cannot be understood is to be believed.
    fn try_publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        expect: Expect,
        is_last: bool,
    ) -> Result<Outcome, Error> {
        let Some(lock) = IndexLock::try_take(&self.disk, self.path())? else {
            return Ok(Outcome::Hindered(Hindrance::Locked));
        };
        let before = self.read_index_text()?;
        let Some(mut index) = self.settled_index(before.as_deref(), is_last)? else {
            return Ok(Outcome::Unsettled);
        };
        // An entry that is there but makes no sense is no free name, and no digest that anyone expects.
        if let (Expect::Absent | Expect::Digest(_), Some(entry)) = (expect, index.find(name)) {
            expect.check(name, Some(entry.descriptor()?.digest))?;
        } else {
            expect.check(name, None)?;
        }
        index.put(name, descriptor);
        let after = index.text();
        if before.as_ref() != Some(&after) {
            self.check_size(after.len() as u64)?;
            let mut staged = self.stage()?;
            staged.write(&after)?;
            staged.sync()?;
            if !lock.is_held() || self.read_index_text()? != before {
                return Ok(Outcome::Hindered(Hindrance::Changed));
            }
            staged.rename(&self.path().join("index.json"))?;
        } else {
            self.sync_text("index.json")?;
        }
        self.disk.sync_folder(self.path())?;
        Ok(Outcome::Done)
    }

    /// Refuses an index that no one could read.
    fn check_size(&self, size: u64) -> Result<(), Error> {
        let limit = self.max_metadata;
        if size <= limit {
            return Ok(());
        }
        let path = self.path().join("index.json");
        let cause = AboveMetadataLimit { size: Some(size), limit };
        let reason = format_args!("{cause}; publish to another folder, or take tags out of this one");
        Err(Error::new(ErrorKind::TooLarge, "write", path.display(), reason).with_cause(cause))
    }

    /// Makes a file of the layout durable that another process has written, which may not have waited for the disk.
    fn sync_text(&self, name: &str) -> Result<(), Error> {
        let path = self.path().join(name);
        let file = open_at_once(&path).map_err(|cause| Error::io("open", path.display(), cause))?;
        self.disk.sync_found(&file, &path)
    }

    /// Makes the blobs of an algorithm durable that were renamed to their place before.
    pub(crate) fn sync_blobs(&self, algorithm: Algorithm) -> Result<(), Error> {
        let folder = blob_folder(self.path(), algorithm);
        if folder.is_dir() { self.folder_sync(algorithm).sync(&self.disk, &folder) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayoutOptions;

    #[test]
    fn a_lock_that_is_held_and_an_index_that_changes_are_told_apart() {
        let store =
            LayoutStore::at("cache".into(), &LayoutOptions::default().with_lock_wait(Duration::from_secs(2)));
        let told = [Hindrance::Locked, Hindrance::Changed].map(|by| store.gave_up(by));
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
