//! Collects garbage beside programs that write to the layout at the same time.
//!
//! 1. Under the lock of the index: the blobs that no name leads to, and that are old, are withdrawn. A publish of this crate
//!    looks under the same lock whether its blobs are there, so it names none of them, and stores them again.
//! 2. The collection waits. BuildKit takes the lock only to write the index. It may have found a blob before it was withdrawn,
//!    and name it later. Until then it writes blobs, which shows.
//! 3. Under the lock again: the blobs that are needed by now are put back, and all of them if another program is writing. The
//!    others are deleted. Nobody has been able to find them since the first step.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_model::{Descriptor, Digest, MediaType};

use crate::layout::collect::collected::{CollectOptions, Collected, CollectedBlob};
use crate::layout::collect::reach::{Documents, Root};
use crate::layout::collect::references::Reference;
use crate::layout::collect::stock::{StoredBlob, stored_blobs};
use crate::layout::collect::withdrawal::{Undecided, delete, put_back, withdraw, withdrawn_blobs};
use crate::layout::durability::leftovers::{
    foreign, is_upload, is_younger_than, remove_foreign, remove_if_unlocked, stale,
};
use crate::layout::files::refuse_linked_folders;
use crate::layout::folder::LayoutFolder;
use crate::layout::index::document::Index;
use crate::layout::index::locked::{Attempt, Hindrance, IndexLocker, LockedIndex};
use crate::layout::threads::blocking::blocking;
use crate::runtime::pause;
use crate::{Error, Event, Job, Leftover, Step, Stored};

/// Collects garbage in one layout. Clones share what was read.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    locker: IndexLocker,
    options: CollectOptions,
    documents: Arc<Mutex<Documents>>,
}

/// The blobs of a layout by what becomes of them.
#[derive(Debug, Default)]
struct Survey {
    collected: Collected,
    /// The blobs that the names, and young documents, lead to.
    needed: HashSet<Digest>,
}

impl Collector {
    pub(crate) fn new(locker: IndexLocker, options: CollectOptions) -> Self {
        let documents = Documents::new(locker.folder().root().to_owned(), locker.index().limit());
        Self { locker, options, documents: Arc::new(Mutex::new(documents)) }
    }

    pub(crate) async fn collect(self, job: &Job) -> Result<Collected, Error> {
        // Most documents are read here, without the lock.
        let survey = self.survey_unlocked().await?;
        if self.options.dry_run {
            return self.with_leftovers(survey.collected).await;
        }
        self.locker.attempt("collect", drop_strays).await?;
        let collector = self.clone();
        let attempt = move |locked: &mut LockedIndex<'_>| collector.withdraw(locked);
        let undecided = Undecided::new(self.folder());
        let mut collected = self.locker.attempt("collect", attempt).await?;
        if !collected.blobs.is_empty() {
            pause("collect", self.options.settle).await?;
            let collector = self.clone();
            let attempt = move |locked: &mut LockedIndex<'_>| collector.put_back(locked);
            let survey = self.locker.attempt("collect", attempt).await?;
            collected.keep_by(survey);
        }
        undecided.decided();
        self.delete(&collected, job).await?;
        let collected = self.with_leftovers(collected).await?;
        self.remove_leftovers(&collected).await?;
        Ok(collected)
    }

    fn folder(&self) -> &Arc<LayoutFolder> {
        self.locker.folder()
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn survey_unlocked(&self) -> Result<Survey, Error> {
        let root = self.folder().root().to_owned();
        // The blobs first: one that is named after it was listed is found by its name.
        let list = move || {
            refuse_linked_folders("collect", &root)?;
            stored_blobs(&root)
        };
        let stored = blocking("collect", list).await?;
        let mut index = self.locker.index().read().await?;
        index.drop_strays();
        let collector = self.clone();
        blocking("collect", move || collector.survey(&stored, &index)).await
    }

    /// Sorts the blobs of the layout, without those that are withdrawn.
    fn survey(&self, stored: &[StoredBlob], index: &Index) -> Result<Survey, Error> {
        let mut documents = self.documents();
        let named = documents.reached(Documents::roots(index)?)?;
        let is_young = |blob: &StoredBlob| is_younger_than(blob.modified, self.options.older_than);
        // An export writes its config and its manifest after the layers, and names the manifest last.
        let young = stored.iter().filter(|blob| is_young(blob) && !named.contains(&blob.digest));
        let young: Vec<Root> = young.map(|blob| unnamed(blob.digest)).collect();
        let needed_by_young = documents.reached(young)?;
        let mut collected = Collected { upload: self.young_upload(), ..Collected::default() };
        for blob in stored {
            if named.contains(&blob.digest) {
                collected.named.count(blob.size);
            } else if needed_by_young.contains(&blob.digest) {
                collected.young.count(blob.size);
            } else if collected.upload.is_some() {
                collected.deferred.count(blob.size);
            } else {
                collected.blobs.push(CollectedBlob::new(blob.digest, blob.size));
            }
        }
        collected.blobs.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        Ok(Survey { collected, needed: named.union(&needed_by_young).copied().collect() })
    }

    /// An upload of another program that may be under way.
    fn young_upload(&self) -> Option<PathBuf> {
        let uploads = foreign(&self.folder().ingest());
        let is_young = |upload: &Leftover| is_younger_than(upload.modified, self.options.older_than);
        uploads.into_iter().find(is_young).map(|upload| upload.path)
    }

    /// The first step.
    fn withdraw(&self, locked: &mut LockedIndex<'_>) -> Result<Attempt<Collected>, Error> {
        if !locked.has_file() {
            return Err(self.locker.index().absent());
        }
        let folder = self.folder();
        let stored = stored_blobs(folder.root())?;
        let mut collected = self.survey(&stored, &locked.index)?.collected;
        if !collected.blobs.is_empty() {
            folder.disk().ensure_folder(&folder.ingest())?;
            // A name that was replaced must not come back after its blobs are gone.
            locked.sync()?;
        }
        if !locked.is_current()? {
            return Ok(Attempt::Hindered(Hindrance::Changed));
        }
        for blob in &collected.blobs {
            withdraw(folder, &blob.digest)?;
        }
        // With those of a collection that was interrupted.
        let before = withdrawn_blobs(folder);
        let is_known = |blob: &CollectedBlob| collected.blobs.iter().any(|known| known.digest == blob.digest);
        let before: Vec<_> = before.into_iter().filter(|blob| !is_known(blob)).collect();
        collected.blobs.extend(before);
        Ok(Attempt::Done(collected))
    }

    /// The third step; what is needed by now.
    fn put_back(&self, locked: &mut LockedIndex<'_>) -> Result<Attempt<Survey>, Error> {
        let folder = self.folder();
        let withdrawn = withdrawn_blobs(folder);
        let stored = stored_blobs(folder.root())?;
        let survey = self.survey(&stored, &locked.index)?;
        let kept = withdrawn.iter().map(|blob| blob.digest).filter(|digest| survey.keeps(digest));
        put_back(folder, &kept.collect::<Vec<_>>())?;
        if !locked.is_current()? {
            return Ok(Attempt::Hindered(Hindrance::Changed));
        }
        Ok(Attempt::Done(survey))
    }

    /// Deletes what is withdrawn.
    async fn delete(&self, collected: &Collected, job: &Job) -> Result<(), Error> {
        let deleted = collected.deleted();
        if deleted.blobs > 0 {
            job.event(&Event::Planned { blobs: deleted.blobs, bytes: deleted.bytes });
        }
        for CollectedBlob { digest, size, .. } in collected.blobs.iter().copied() {
            let descriptor = Descriptor::new(MediaType::default(), digest, size);
            let begun = job.begin(Step::Delete, &descriptor);
            let folder = Arc::clone(self.folder());
            match blocking("collect", move || delete(&folder, &digest)).await {
                Ok(()) => begun.finish(Stored::AlreadyPresent),
                Err(error) => {
                    begun.fail(&error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Adds what interrupted writers have left.
    async fn with_leftovers(&self, mut collected: Collected) -> Result<Collected, Error> {
        let (folder, older_than) = (Arc::clone(self.folder()), self.options.older_than);
        let list = move || {
            let ingest = folder.ingest();
            let mut leftovers = stale(&ingest);
            leftovers.extend(folder.abandoned_parts());
            let is_left =
                |found: &Leftover| !is_younger_than(found.modified, older_than) && is_upload(&found.path);
            leftovers.extend(foreign(&ingest).into_iter().filter(is_left));
            leftovers.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
            Ok(leftovers)
        };
        collected.leftovers = blocking("collect", list).await?;
        Ok(collected)
    }

    async fn remove_leftovers(&self, collected: &Collected) -> Result<(), Error> {
        let (folder, leftovers) = (Arc::clone(self.folder()), collected.leftovers.clone());
        let remove = move || {
            for leftover in leftovers {
                if leftover.is_ours() {
                    // One that was locked meanwhile is in use again.
                    remove_if_unlocked(folder.disk(), &leftover.path);
                } else {
                    remove_foreign(folder.disk(), &leftover.path)?;
                }
            }
            Ok(())
        };
        blocking("collect", remove).await
    }
}

impl Survey {
    /// Whether a blob stays: it is needed, or another program is writing.
    fn keeps(&self, digest: &Digest) -> bool {
        self.collected.upload.is_some() || self.needed.contains(digest)
    }
}

impl Collected {
    /// Counts as kept what stays by a later survey.
    fn keep_by(&mut self, survey: Survey) {
        let (kept, deleted): (Vec<_>, Vec<_>) =
            self.blobs.drain(..).partition(|blob| survey.keeps(&blob.digest));
        kept.iter().for_each(|blob| self.deferred.count(blob.size));
        self.blobs = deleted;
        self.upload = survey.collected.upload.or(self.upload.take());
    }
}

/// Drops the referrers whose subject another program has taken the last name from.
fn drop_strays(locked: &mut LockedIndex<'_>) -> Result<Attempt<()>, Error> {
    if locked.index.drop_strays() { locked.write() } else { Ok(Attempt::Done(())) }
}

/// A blob that no name leads to.
fn unnamed(digest: Digest) -> Root {
    Root { reference: Reference { digest, is_document: false }, must_exist: false }
}
