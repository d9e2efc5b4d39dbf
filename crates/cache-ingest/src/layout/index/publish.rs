//! Puts an entry into `index.json`, and takes entries out of it, under the lock.
//!
//! The index never names a manifest before everything that this process stored is durable, and never one whose blobs a
//! collection has taken away since this process stored them or found them.

use std::collections::HashMap;
use std::fs;

use cache_model::{Algorithm, Descriptor, Digest};

use crate::layout::files::blob_path;
use crate::layout::folder::LayoutFolder;
use crate::layout::index::locked::{Attempt, IndexLocker, LockedIndex};
use crate::layout::marker;
use crate::layout::threads::blocking::blocking;
use crate::{Error, ErrorKind, Expect, Name};

/// Changes the names in one layout. Clones share its folder.
#[derive(Clone, Debug)]
pub(crate) struct IndexPublisher {
    locker: IndexLocker,
}

/// A manifest that is to refer to another one, and the blobs that it needs, as in [`NewEntry`].
#[derive(Clone, Debug)]
pub(crate) struct NewReferrer {
    pub(crate) subject: Digest,
    pub(crate) descriptor: Descriptor,
    pub(crate) needs: HashMap<Digest, u64>,
}

/// A manifest that is to get a name, and the blobs that it needs, with their sizes in bytes. Without them it must not get
/// the name.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry {
    pub(crate) name: Name,
    pub(crate) descriptor: Descriptor,
    pub(crate) expect: Expect,
    pub(crate) needs: HashMap<Digest, u64>,
}

impl IndexPublisher {
    pub(crate) fn new(locker: IndexLocker) -> Self {
        Self { locker }
    }

    /// Makes a name stand for a manifest whose blob is stored. [`ErrorKind::Incomplete`] if a blob is gone that it needs.
    pub(crate) async fn publish(&self, entry: NewEntry) -> Result<(), Error> {
        self.sync_all().await?;
        let folder = self.locker.folder().clone();
        self.locker.attempt("publish", move |locked| entry.put(locked, &folder)).await
    }

    /// Makes a manifest whose blob is stored refer to another one, for as long as that has an entry.
    /// [`ErrorKind::NotFound`] if it has none, [`ErrorKind::Incomplete`] if a blob is gone that the referrer needs.
    pub(crate) async fn refer(&self, referrer: NewReferrer) -> Result<(), Error> {
        self.sync_all().await?;
        let folder = self.locker.folder().clone();
        self.locker.attempt("publish", move |locked| referrer.put(locked, &folder)).await
    }

    /// Takes a name away.
    pub(crate) async fn remove(&self, name: &Name) -> Result<(), Error> {
        // Not for the blobs: the folder has to be prepared before a file is staged in it.
        self.sync_all().await?;
        let (name, root) = (name.clone(), self.locker.folder().root().to_owned());
        let remove = move |locked: &mut LockedIndex<'_>| {
            locked.index.remove(&name, &root)?;
            locked.index.drop_strays();
            locked.write()
        };
        self.locker.attempt("remove", remove).await
    }

    /// Makes everything durable that the index may name, and removes the parts of puts that were given up.
    ///
    /// Blobs that other processes have stored may still wait for a sync. It is done before the lock is taken: BuildKit
    /// fails, and does not wait, while we hold the lock.
    async fn sync_all(&self) -> Result<(), Error> {
        let folder = self.locker.folder().clone();
        let sync = move || {
            folder.prepare()?;
            folder.remove_parts();
            marker::complete(&folder)?;
            folder.sync_blobs(Algorithm::Sha256)?;
            folder.sync_blobs(Algorithm::Sha512)
        };
        blocking("sync", sync).await
    }
}

impl NewEntry {
    fn put(&self, locked: &mut LockedIndex<'_>, folder: &LayoutFolder) -> Result<Attempt<()>, Error> {
        // An entry without a valid digest is neither a free name nor a digest that anyone can expect.
        if let (Expect::Absent | Expect::Digest(_), Some(entry)) =
            (self.expect, locked.index.find(&self.name))
        {
            self.expect.check(&self.name, Some(entry.descriptor()?.digest))?;
        } else {
            self.expect.check(&self.name, None)?;
        }
        check_needs(&self.needs, &self.name, folder)?;
        locked.index.put(&self.name, &self.descriptor);
        locked.index.drop_strays();
        locked.write()
    }
}

impl NewReferrer {
    fn put(&self, locked: &mut LockedIndex<'_>, folder: &LayoutFolder) -> Result<Attempt<()>, Error> {
        let name = Name::Digest(self.subject);
        if locked.index.find(&name).is_none() {
            let reason = "no name leads to the manifest to which it refers";
            return Err(Error::new(ErrorKind::NotFound, "publish", self.subject, reason));
        }
        check_needs(&self.needs, &name, folder)?;
        locked.index.put_referrer(&self.subject, &self.descriptor);
        locked.write()
    }
}

/// Checks, under the lock, that the folder has the needed blobs. A collection withdraws blobs only under the same lock.
/// So a blob that is found here is still there when its manifest gets an entry. `name` is for the error.
fn check_needs(needs: &HashMap<Digest, u64>, name: &Name, folder: &LayoutFolder) -> Result<(), Error> {
    let is_there = |(digest, size): &(&Digest, &u64)| {
        let found = fs::symlink_metadata(blob_path(folder.root(), digest));
        found.is_ok_and(|found| found.is_file() && found.len() == **size)
    };
    let Some((missing, _)) = needs.iter().find(|need| !is_there(need)) else { return Ok(()) };
    let reason =
        format_args!("{missing}, which it names, was taken away meanwhile; run the same command again");
    Err(Error::new(ErrorKind::Incomplete, "publish", name, reason))
}
