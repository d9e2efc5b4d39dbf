//! An OCI image layout in a folder (OCI image specification, image-layout.md), as BuildKit's local cache has it.
//!
//! Other processes, BuildKit among them, may use the folder at the same time, and any of them may be killed at any
//! moment: nothing unverified is ever put into `blobs/`, and `index.json` names what was put only when that is durable.
//! A blob that was there already is as durable as whoever put it there has made it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::{Algorithm, Descriptor, Digest, MediaType};
use serde::Deserialize;

use crate::layout::blobs::large;
use crate::layout::durability::disk::Disk;
use crate::layout::durability::folder_sync::FolderSync;
use crate::layout::durability::staging::{Staged, remove_stale};
use crate::layout::files::{open_blob, read_small};
use crate::layout::index::document::Index;
use crate::layout::index::entry::LayoutEntry;
use crate::layout::threads::blocking::{Few, blocking};
use crate::layout::threads::crew::Crew;
use crate::{
    ByteStream, Error, ErrorKind, Expect, Info, Ingester, Job, LayoutOptions, Listed, Lister, Name, Provider,
    ProviderExt, Publisher, Resolved, Resolver, Source, Stored, stated_media_type,
};

pub(crate) const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const LAYOUT_LIMIT: u64 = 64 * 1024;
/// What may lie in a folder that a layout is made in: what is left of a layout whose making was cut short, and
/// what a fresh file system has.
const REMAINS: [&str; 4] = ["blobs", "ingest", "index.json.lock", "lost+found"];

/// An OCI layout on disk. Clones share it.
///
/// Reading follows no symbolic link below `blobs/` and takes no lock. Writing stages files in `ingest/`.
///
/// A blob that is there is trusted by its size, so that a copy need not read what was copied before; verification
/// reads it, and so does a store that [rehashes](LayoutOptions::rehash). Blobs that come as bytes in memory, such as configs and manifests, are small: then the one that is there
/// is read, and replaced where its content is another.
#[derive(Clone, Debug)]
pub struct LayoutStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Disk,
    pub(crate) rehash: bool,
    lock_wait: Duration,
    pub(crate) max_metadata: u64,
}

#[derive(Debug)]
pub(crate) struct Shared {
    root: PathBuf,
    /// Whether the folders are there and the stale staged files are gone.
    prepared: Mutex<bool>,
    sha256: FolderSync,
    sha512: FolderSync,
    pub(crate) few: Few,
    /// The large blobs that come from files.
    pub(crate) large: Crew<large::Job>,
}

impl LayoutStore {
    /// Opens a layout, or makes one where the options say so. Needs a Tokio runtime with time, as all its methods do.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the path does not exist and is not to be made; [`ErrorKind::Invalid`] when it is no
    /// layout, or one is to be made and the folder has something else in it; [`ErrorKind::Unsupported`] when the layout's
    /// version is not 1.0.0; [`ErrorKind::Corrupt`] or [`ErrorKind::TooLarge`] when `index.json` cannot be read. A layout
    /// without `index.json` has no entries.
    pub async fn open(path: impl Into<PathBuf>, options: LayoutOptions) -> Result<Self, Error> {
        let store = Self::at(path.into(), &options);
        let opened = store.clone();
        if options.create {
            blocking("create", move || opened.make_layout()).await?;
        } else {
            blocking("open", move || opened.check_layout()).await?;
        }
        store.entries().await?;
        Ok(store)
    }

    pub(crate) fn at(root: PathBuf, options: &LayoutOptions) -> Self {
        let shared = Shared {
            root,
            prepared: Mutex::new(false),
            sha256: FolderSync::default(),
            sha512: FolderSync::default(),
            few: Few::default(),
            large: Crew::default(),
        };
        Self {
            shared: Arc::new(shared),
            disk: Disk::new(options.hook.clone(), options.sync),
            rehash: options.rehash,
            lock_wait: options.lock_wait,
            max_metadata: options.max_metadata,
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    /// The entries of `index.json`, in order.
    ///
    /// Errors: [`ErrorKind::Corrupt`] when it cannot be understood, [`ErrorKind::TooLarge`] above
    /// [`LayoutOptions::max_metadata`].
    pub async fn entries(&self) -> Result<Vec<LayoutEntry>, Error> {
        self.read_index().await.map(Index::into_entries)
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

    pub(crate) fn lock_wait(&self) -> Duration {
        self.lock_wait
    }

    pub(crate) fn folder_sync(&self, algorithm: Algorithm) -> &FolderSync {
        match algorithm {
            Algorithm::Sha256 => &self.shared.sha256,
            Algorithm::Sha512 => &self.shared.sha512,
        }
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, reason: impl std::fmt::Display) -> Error {
        Error::new(kind, operation, self.path().display(), reason)
    }

    /// Reads `oci-layout`.
    fn check_layout(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Layout {
            #[serde(rename = "imageLayoutVersion")]
            version: Option<String>,
        }
        let there =
            fs::metadata(self.path()).map_err(|cause| Error::io("open", self.path().display(), cause))?;
        if !there.is_dir() {
            return Err(self.error(
                ErrorKind::Invalid,
                "open",
                "it is not an OCI layout: it is not a folder",
            ));
        }
        let path = self.path().join(LAYOUT_FILE);
        let too_large = || {
            let reason = format_args!("it is larger than {LAYOUT_LIMIT} bytes, so that it is no such file");
            Error::new(ErrorKind::Invalid, "read", path.display(), reason)
        };
        let Some(text) = read_small(&path, LAYOUT_LIMIT, too_large)? else {
            return Err(self.error(
                ErrorKind::Invalid,
                "open",
                "it is not an OCI layout, for it has no file oci-layout; name the folder that a cache was exported to",
            ));
        };
        let unparsable = |cause: serde_json::Error| {
            Error::new(ErrorKind::Corrupt, "read", path.display(), &cause).with_cause(cause)
        };
        match serde_json::from_slice::<Layout>(&text)
            .map_err(unparsable)?
            .version
            .unwrap_or_default()
            .as_str()
        {
            "1.0.0" => Ok(()),
            other => {
                let reason = format_args!("its imageLayoutVersion is {other:?}; only 1.0.0 is known");
                Err(Error::new(ErrorKind::Unsupported, "read", path.display(), reason))
            }
        }
    }

    fn make_layout(&self) -> Result<(), Error> {
        if self.path().join(LAYOUT_FILE).exists() {
            return self.check_layout();
        }
        self.make_root()?;
        let entries =
            fs::read_dir(self.path()).map_err(|cause| Error::io("read", self.path().display(), cause))?;
        for entry in entries {
            let name = entry.map_err(|cause| Error::io("read", self.path().display(), cause))?.file_name();
            if !REMAINS.iter().any(|remains| name == *remains) && name != LAYOUT_FILE {
                // Another process may have made the layout since it was looked for.
                if self.path().join(LAYOUT_FILE).exists() {
                    return self.check_layout();
                }
                let reason = format_args!(
                    "it is not an OCI layout and not empty: it has {:?}; give an empty or new folder",
                    name.to_string_lossy()
                );
                return Err(self.error(ErrorKind::Invalid, "create", reason));
            }
        }
        self.prepare_for_writing()?;
        let mut staged = self.stage()?;
        staged.write(LAYOUT_TEXT)?;
        staged.sync()?;
        staged.rename(&self.path().join(LAYOUT_FILE))?;
        self.disk.sync_folder(self.path())
    }

    /// Makes the folder and those that it is to lie in, and their names durable.
    fn make_root(&self) -> Result<(), Error> {
        let mut missing = Vec::new();
        for folder in self.path().ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            if folder.is_dir() {
                // A process may have made it and been killed before its name was durable.
                match self.sync_parent(folder) {
                    // Then it is not ours: it lies in a folder that we may not even open.
                    Err(error) if error.kind() == ErrorKind::Denied => {}
                    synced => synced?,
                }
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            self.disk.ensure_folder(folder)?;
            self.sync_parent(folder)?;
        }
        Ok(())
    }

    fn sync_parent(&self, folder: &Path) -> Result<(), Error> {
        match folder.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.disk.sync_folder(Path::new(".")),
            Some(parent) => self.disk.sync_folder(parent),
            None => Ok(()),
        }
    }

    /// Makes the folders and removes stale staged files, once for all clones.
    ///
    /// Nothing is put below a name that is not durable. That a name is there does not say so: the process that made it
    /// may have been killed just then.
    pub(crate) fn prepare_for_writing(&self) -> Result<(), Error> {
        let mut prepared = self.shared.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if *prepared {
            return Ok(());
        }
        let (ingest, blobs) = (self.path().join("ingest"), self.path().join("blobs"));
        self.disk.ensure_folder(&ingest)?;
        if !blobs.is_dir() {
            self.disk.ensure_folder(&blobs)?;
        }
        self.disk.ensure_folder(&blobs.join(Algorithm::Sha256.name()))?;
        self.disk.sync_folder(&blobs)?;
        self.disk.sync_folder(self.path())?;
        remove_stale(&self.disk, &ingest);
        *prepared = true;
        Ok(())
    }

    /// A new file in progress.
    pub(crate) fn stage(&self) -> Result<Staged, Error> {
        self.stage_as(false)
    }

    /// A new file in progress that is to be a blob, which no one may write, as in containerd.
    pub(crate) fn stage_blob(&self) -> Result<Staged, Error> {
        self.stage_as(true)
    }

    fn stage_as(&self, read_only: bool) -> Result<Staged, Error> {
        let ingest = self.path().join("ingest");
        match Staged::create(&self.disk, &ingest, read_only) {
            Err(_) if !ingest.is_dir() => {
                // Someone has tidied up since it was made.
                self.disk.ensure_folder(&ingest)?;
                Staged::create(&self.disk, &ingest, read_only)
            }
            staged => staged,
        }
    }

    async fn size_of(&self, digest: Digest) -> Result<u64, Error> {
        let store = self.clone();
        let few = &self.shared.few;
        few.blocking("look up", move || open_blob("look up", store.path(), &digest).map(|(_, size)| size))
            .await
    }

    /// A manifest that no entry of the index has.
    async fn describe(&self, digest: Digest) -> Result<Resolved, Error> {
        let mut descriptor = Descriptor::new(MediaType::default(), digest, self.size_of(digest).await?);
        if descriptor.size > self.max_metadata {
            return Ok(Resolved::new(descriptor));
        }
        let job = Job::default().with_max_metadata(self.max_metadata);
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
        self.open_stream(descriptor.digest, offset).await
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        open_blob("open", self.path(), &descriptor.digest).ok().map(|(file, _)| file)
    }
}

#[async_trait]
impl Ingester for LayoutStore {
    /// A blob is already present where there is a regular file of its size; for a source that has its bytes in
    /// memory, and for a store that rehashes, where that file has its content too. Any other file in its place is replaced.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.put_blob(descriptor, source).await
    }
}

#[async_trait]
impl Resolver for LayoutStore {
    /// A tag is looked for among the full image names first, then among the tags. A digest may be that of a blob
    /// without an entry; then its media type is what the blob says of itself.
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        let index = self.read_index().await?;
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
    /// The entries, each by its tag; by its full image name where others have the tag too; by its digest where neither
    /// stands for it. One whose digest cannot be understood either has no name.
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.read_index().await?.listed())
    }
}

#[async_trait]
impl Publisher for LayoutStore {
    /// A manifest without a name is tagged `latest`. A tag with a slash is a full image name, and its tag is what
    /// follows the last colon.
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        self.publish_manifest(name, descriptor, bytes, expect).await
    }
}
