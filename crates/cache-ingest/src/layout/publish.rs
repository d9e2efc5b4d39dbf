//! Puts an entry into `index.json`: read, compared, replaced by rename, under the lock.
//!
//! The index is never changed in place, and never names what is not durable.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_model::{Algorithm, Descriptor};
use tokio::time::sleep;

use crate::layout::LayoutStore;
use crate::layout::blocking;
use crate::layout::files::{blob_folder, sync_folder};
use crate::layout::lock::IndexLock;
use crate::random::random;
use crate::{Error, ErrorKind, Expect, Ingester, Name, Source, Verifier};

/// The longest wait between two tries for the lock, in milliseconds.
const LONGEST_WAIT: u64 = 100;

/// How a try to publish ended, short of an error.
enum Outcome {
    Done,
    /// Another process had the lock, or took what we held.
    TryAgain,
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
        // The put would not look at the bytes of a blob that is there already.
        let mut verifier = Verifier::new(descriptor);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let source = Source::from_bytes(descriptor.clone(), bytes);
        self.put(descriptor, &source).await?;
        // What others have stored and this manifest names may wait for a sync still. It is done before the lock is
        // taken, as BuildKit fails rather than waits while we hold it.
        let store = self.clone();
        blocking("sync", move || {
            store.sync_blobs(Algorithm::Sha256)?;
            store.sync_blobs(Algorithm::Sha512)
        })
        .await?;
        let deadline = Instant::now() + self.lock_wait();
        let mut longest = 10;
        loop {
            let (store, name, descriptor) = (self.clone(), name.clone(), descriptor.clone());
            let outcome = blocking("publish", move || store.try_publish(&name, &descriptor, expect)).await?;
            if matches!(outcome, Outcome::Done) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let path = self.path().join("index.json.lock");
                let reason = format_args!(
                    "another process holds the lock, for {:?} now; try again when it has finished",
                    self.lock_wait()
                );
                return Err(Error::new(ErrorKind::Conflict, "lock", path.display(), reason));
            }
            sleep(Duration::from_millis(longest / 2 + random() % longest)).await;
            longest = (longest * 2).min(LONGEST_WAIT);
        }
    }

    fn try_publish(&self, name: &Name, descriptor: &Descriptor, expect: Expect) -> Result<Outcome, Error> {
        let Some(lock) = IndexLock::try_take(self.path())? else { return Ok(Outcome::TryAgain) };
        let before = self.read_index_text()?;
        let mut index = self.parse_index(before.as_deref().unwrap_or_default())?;
        // An entry that is there but makes no sense is no free name, and no digest that anyone expects.
        if let (Expect::Absent | Expect::Digest(_), Some(entry)) = (expect, index.find(name)) {
            expect.check(name, Some(entry.descriptor()?.digest))?;
        } else {
            expect.check(name, None)?;
        }
        index.put(name, descriptor);
        let after = index.text();
        if before.as_ref() != Some(&after) {
            let mut staged = self.stage()?;
            staged.write(&after)?;
            if self.syncs() {
                staged.sync()?;
            }
            if !lock.is_held() || self.read_index_text()? != before {
                return Ok(Outcome::TryAgain);
            }
            staged.rename(&self.path().join("index.json"))?;
        }
        if self.syncs() {
            sync_folder(self.path())?;
        }
        Ok(Outcome::Done)
    }

    /// Makes the blobs of an algorithm durable that were renamed to their place before.
    pub(crate) fn sync_blobs(&self, algorithm: Algorithm) -> Result<(), Error> {
        let folder = blob_folder(self.path(), algorithm);
        if self.syncs() && folder.is_dir() { self.folder_sync(algorithm).sync(&folder) } else { Ok(()) }
    }
}
