//! An OCI image layout in a folder (OCI image specification, image-layout.md), as BuildKit's local cache has it.
//!
//! Other processes, BuildKit among them, may use the folder at the same time, and any of them may be killed at any
//! moment. So nothing unverified is ever put into `blobs/`, and `index.json` names a manifest only when everything that
//! this process has put is durable. An existing blob is as durable as the process that wrote it has made it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::{Descriptor, Digest, MediaType};

use crate::layout::blobs::put::BlobPutter;
use crate::layout::blobs::read::open_stream;
use crate::layout::collect::collector::Collector;
use crate::layout::collect::references::references;
use crate::layout::durability::disk::Disk;
use crate::layout::files::open_blob;
use crate::layout::folder::LayoutFolder;
use crate::layout::index::document::Index;
use crate::layout::index::entry::LayoutEntry;
use crate::layout::index::file::IndexFile;
use crate::layout::index::locked::IndexLocker;
use crate::layout::index::publish::{IndexPublisher, NewEntry, NewReferrer};
use crate::layout::marker;
use crate::layout::threads::blocking::{ThreadPool, blocking};
use crate::{
    ByteStream, CollectOptions, Collected, Error, ErrorKind, Expect, Info, Ingester, Job, LayoutOptions,
    Listed, Lister, Name, Provider, ProviderExt, Publisher, Referrers, Remover, Resolved, Resolver, Source,
    Standing, Stored, Verifier, stated_media_type,
};

/// An OCI layout on disk. Clones share it.
///
/// Reading follows no symbolic link below `blobs/` and takes no lock. Writing stages files in `ingest/`. On Unix, a stream that
/// is interrupted leaves its bytes there, and the next put of that blob, in any process, opens its source behind them. A
/// publish, of any manifest, removes such bytes once their blob is stored or a day has passed. In a folder that nothing is
/// published to they stay.
///
/// A blob that exists is trusted by its size, so that a copy need not read what an earlier one has copied. A store that
/// [rehashes](LayoutOptions::rehash) reads it. Blobs that come as bytes in memory, such as configs and manifests, are
/// small: the existing blob is always read, and replaced if its content differs.
///
/// Garbage may be [collected](Self::collect) while others write. So a publish looks once more for each blob that was put
/// through this store and that the manifest names, and is [`ErrorKind::Incomplete`] if one was taken away.
///
/// Every method needs a Tokio runtime with time, and is an error outside of one.
#[derive(Clone, Debug)]
pub struct LayoutStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Arc<LayoutFolder>,
    index: IndexFile,
    locker: IndexLocker,
    publisher: IndexPublisher,
    putter: BlobPutter,
    pool: ThreadPool,
    /// Whether the folder may be absent, as it is not made.
    may_be_absent: bool,
    /// The blobs that were put or found, with their sizes in bytes.
    put: Mutex<HashMap<Digest, u64>>,
}

impl LayoutStore {
    /// Opens a layout, or makes one where the options say so.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the path does not exist and is not to be made; [`ErrorKind::Invalid`] when it is no
    /// layout, or one is to be made and the folder has something else in it; [`ErrorKind::Unsupported`] when the layout's
    /// version is not 1.0.0, and outside of a Tokio runtime; [`ErrorKind::Corrupt`] or [`ErrorKind::TooLarge`] when
    /// `index.json` cannot be read.
    ///
    /// A layout without `index.json` has no entries if the options allow to make it; otherwise its blobs can be read, and
    /// asking for its tags is [`ErrorKind::NotFound`].
    pub async fn open(path: impl Into<PathBuf>, options: LayoutOptions) -> Result<Self, Error> {
        let LayoutOptions { create, dry_run, sync, rehash, lock_wait, max_metadata, hook } = options;
        let folder = Arc::new(LayoutFolder::new(path.into(), Disk::new(hook, sync)));
        let opened = Arc::clone(&folder);
        match (create, dry_run) {
            (true, false) => blocking("create", move || marker::make(&opened)).await?,
            (true, true) => blocking("create", move || marker::check_makeable(opened.root())).await?,
            (false, _) => blocking("open", move || marker::check(opened.root())).await?,
        }
        let index = IndexFile::new(folder.root(), max_metadata, create);
        let locker = IndexLocker::new(Arc::clone(&folder), index.clone(), lock_wait);
        let publisher = IndexPublisher::new(locker.clone());
        let pool = ThreadPool::default();
        let putter = BlobPutter::new(Arc::clone(&folder), pool.clone(), rehash);
        let (may_be_absent, put) = (create && dry_run, Mutex::default());
        let inner = Inner { folder, index, locker, publisher, putter, pool, may_be_absent, put };
        let store = Self(Arc::new(inner));
        match store.entries().await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(store),
        }
    }

    /// Whether a folder is a layout: it has the file `oci-layout`, or `index.json` and the folder `blobs`.
    ///
    /// Where that cannot be looked up, it counts as one, so that opening it says why.
    ///
    /// BuildKit writes `oci-layout` since 0.12 (moby/buildkit#3729), and reads folders without it.
    pub fn is_layout(path: &Path) -> bool {
        marker::is_layout(path).unwrap_or(true)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.folder.root()
    }

    /// The entries of `index.json`, in order.
    ///
    /// Errors: [`ErrorKind::Corrupt`] when it cannot be understood, [`ErrorKind::TooLarge`] above
    /// [`LayoutOptions::max_metadata`], [`ErrorKind::NotFound`] when it is absent and the layout was opened without
    /// [`LayoutOptions::create`].
    pub async fn entries(&self) -> Result<Vec<LayoutEntry>, Error> {
        self.0.index.read().await.map(Index::into_entries)
    }

    /// The tags in the order of the entries, each once. Errors as in [`entries`](Self::entries).
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let mut known = HashSet::new();
        let mut tags = Vec::new();
        for entry in self.entries().await? {
            if let Some(tag) = entry.tag().filter(|tag| known.insert(tag.to_string())) {
                tags.push(tag.to_owned());
            }
        }
        Ok(tags)
    }

    /// Deletes the blobs that no name leads to, through manifests, indexes and other documents, and what interrupted writers
    /// have left in `ingest/`. Any digest in a document counts, whatever wrote it.
    ///
    /// It is safe beside exports of this crate, whatever the options: both hold the lock of the index when it matters. BuildKit
    /// and containerd lock the index only while they write it. Of their exports it is known only what they have written. So
    /// three rules protect them. A blob younger than [`CollectOptions::older_than`] stays, with everything that it names.
    /// While an upload of theirs is younger, every blob stays. A blob that is to be deleted is first taken out of its place for
    /// [`CollectOptions::settle`], and put back if a name leads to it by then or an upload has begun. An export that finds a
    /// blob, writes nothing at all for longer than that, and then names it, loses it.
    ///
    /// When it fails, or its future is dropped, every blob is in its place. A process that is killed leaves blobs out of their
    /// place to which no name led; the next collection puts them back or deletes them.
    ///
    /// # Errors
    /// Nothing is deleted then. [`ErrorKind::NotFound`] without `index.json`, or if an entry's manifest is missing.
    /// [`ErrorKind::Corrupt`] or [`ErrorKind::TooLarge`] if a document cannot be read. [`ErrorKind::Unsupported`] if `blobs/`,
    /// a folder in it or `ingest/` is a symbolic link: its files may belong to others. [`ErrorKind::Conflict`] if another
    /// process holds the lock for longer than [`LayoutOptions::lock_wait`].
    pub async fn collect(&self, options: CollectOptions, job: &Job) -> Result<Collected, Error> {
        Collector::new(self.0.locker.clone(), options).collect(job).await
    }

    /// The blobs that a manifest names and that were put through this store, and the manifest itself.
    fn needs(&self, descriptor: &Descriptor, manifest: &[u8]) -> HashMap<Digest, u64> {
        let put = self.0.put.lock().unwrap_or_else(PoisonError::into_inner);
        let named = references(manifest).unwrap_or_default().into_iter().map(|named| named.digest);
        let named = named.filter_map(|digest| Some((digest, *put.get(&digest)?)));
        named.chain([(descriptor.digest, descriptor.size)]).collect()
    }

    /// Puts a manifest, and gives the blobs that it [needs](Self::needs).
    async fn put_manifest(
        &self,
        descriptor: &Descriptor,
        bytes: Bytes,
    ) -> Result<HashMap<Digest, u64>, Error> {
        // The put below trusts a blob that exists, and does not look at these bytes then.
        let mut verifier = Verifier::new(descriptor);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let needs = self.needs(descriptor, &bytes);
        self.put(descriptor, &Source::from_bytes(descriptor.clone(), bytes)).await?;
        Ok(needs)
    }

    async fn size_of(&self, digest: Digest) -> Result<u64, Error> {
        let folder = Arc::clone(&self.0.folder);
        if self.0.may_be_absent && !folder.root().exists() {
            return Err(Error::new(ErrorKind::NotFound, "look up", digest, "the layout is not made yet"));
        }
        let look = move || open_blob("look up", folder.root(), &digest).map(|(_, size)| size);
        self.0.pool.run("look up", look).await
    }

    /// A manifest that no entry of the index has.
    async fn describe(&self, digest: Digest) -> Result<Resolved, Error> {
        let mut descriptor = Descriptor::new(MediaType::default(), digest, self.size_of(digest).await?);
        if descriptor.size > self.0.index.limit() {
            return Ok(Resolved::new(descriptor));
        }
        let job = Job::without_retries().with_max_metadata(self.0.index.limit());
        let bytes = self.read(&descriptor, &job).await?;
        descriptor.media_type = stated_media_type(&bytes).unwrap_or_default();
        Ok(Resolved::new(descriptor).with_bytes(bytes))
    }
}

#[async_trait]
impl Provider for LayoutStore {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.size_of(descriptor.digest).await.map(Info::new)
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        open_stream(self.path(), descriptor.digest, offset).await
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        open_blob("open", self.path(), &descriptor.digest).ok().map(|(file, _)| file)
    }
}

#[async_trait]
impl Ingester for LayoutStore {
    /// A blob is already present if there is a regular file of its size. For a source that has its bytes in memory, and
    /// for a store that rehashes, that file must have the blob's content too. Any other file in its place is replaced.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let stored = self.0.putter.put(descriptor, source).await?;
        let mut put = self.0.put.lock().unwrap_or_else(PoisonError::into_inner);
        put.insert(descriptor.digest, descriptor.size);
        Ok(stored)
    }
}

#[async_trait]
impl Resolver for LayoutStore {
    /// A tag is looked up among the full image names first, then among the tags. A digest may be that of a blob
    /// without an entry; its media type is the one that the blob states.
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        let index = match (self.0.index.read().await, name) {
            (Err(error), Name::Digest(digest)) if error.kind() == ErrorKind::NotFound => {
                return self.describe(*digest).await;
            }
            (index, _) => index?,
        };
        if let Some(entry) = index.find(name) {
            return entry.descriptor().cloned().map(Resolved::new);
        }
        let (subject, reason) = match name {
            Name::Digest(digest) => return self.describe(*digest).await,
            Name::Tag(_) => (format!("{name} in {}", self.path().display()), "there is no such tag"),
            Name::Unspecified if index.entries().next().is_none() => {
                (self.path().display().to_string(), "the layout has no entries")
            }
            Name::Unspecified => (
                self.path().display().to_string(),
                "there is no tag latest and more than one entry; say which",
            ),
        };
        let tags = index.tags_in_words();
        Err(Error::new(ErrorKind::NotFound, "resolve", subject, format_args!("{reason}; {tags}")))
    }
}

#[async_trait]
impl Lister for LayoutStore {
    /// The entries, each by its tag; by its full image name if other entries have the tag too; by its digest if neither
    /// leads to it. An entry without a valid digest has no name then.
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.0.index.read().await?.listed())
    }
}

#[async_trait]
impl Publisher for LayoutStore {
    /// A manifest without a name is tagged `latest`. A tag with a slash is a full image name; its tag is the part after
    /// the last colon.
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        let name = name.to_publish(descriptor)?;
        let needs = self.put_manifest(descriptor, bytes).await?;
        let entry = NewEntry { name, descriptor: descriptor.clone(), expect, needs };
        self.0.publisher.publish(entry).await
    }

    /// Never [`Standing::Published`]: publishing again makes durable what another process has stored.
    async fn standing(&self, name: &Name, descriptor: &Descriptor) -> Result<Standing, Error> {
        let name = name.to_publish(descriptor)?;
        let Ok(index) = self.0.index.read().await else { return Ok(Standing::Unknown) };
        let before = index.find(&name).and_then(|entry| entry.descriptor().ok());
        let other = before.map(|before| before.digest).filter(|before| *before != descriptor.digest);
        Ok(other.map_or(Standing::Unknown, Standing::Other))
    }

    /// True: the index is compared and replaced under its lock.
    fn is_atomic(&self) -> bool {
        true
    }
}

#[async_trait]
impl Remover for LayoutStore {
    /// A tag is looked up as for resolving. One that several images have, each under its full name, is
    /// [`ErrorKind::Conflict`].
    async fn remove_name(&self, name: &Name) -> Result<(), Error> {
        self.0.publisher.remove(name).await
    }
}

#[async_trait]
impl Referrers for LayoutStore {
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        Ok(self.0.index.read().await?.referrers(&subject.digest))
    }

    /// A referrer has an entry without a name, marked with its subject. It goes with the last entry of its subject, and until
    /// then a collection keeps it. A subject without an entry is [`ErrorKind::NotFound`].
    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let needs = self.put_manifest(referrer, bytes).await?;
        let (subject, descriptor) = (subject.digest, referrer.clone());
        self.0.publisher.refer(NewReferrer { subject, descriptor, needs }).await
    }
}
