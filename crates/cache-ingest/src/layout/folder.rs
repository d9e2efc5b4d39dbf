//! The folder of a layout as it is written to: its subfolders, its staged files, and the place of its blobs.
//!
//! Nothing is put below a name that is not durable. It never reads or writes the index.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cache_model::{Algorithm, Digest};

use crate::Error;
use crate::layout::durability::disk::Disk;
use crate::layout::durability::folder_sync::FolderSync;
use crate::layout::durability::leftovers::{Leftover, abandoned_parts, remove_if_unlocked, stale};
use crate::layout::durability::staging::StagedFile;
use crate::layout::files::{blob_folder, blob_path, open_at_once};

/// The folder of a layout, shared by everything that writes to it.
#[derive(Debug)]
pub(crate) struct LayoutFolder {
    root: PathBuf,
    disk: Disk,
    /// Whether the subfolders exist and the stale staged files are gone.
    is_prepared: Mutex<bool>,
    sha256: FolderSync,
    sha512: FolderSync,
}

impl LayoutFolder {
    pub(crate) fn new(root: PathBuf, disk: Disk) -> Self {
        let (sha256, sha512) = (FolderSync::default(), FolderSync::default());
        Self { root, disk, is_prepared: Mutex::new(false), sha256, sha512 }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Makes the subfolders durable and removes stale staged files, once for each opened layout.
    ///
    /// A subfolder that exists may not be durable yet: the process that made it may have been killed just then.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let mut is_prepared = self.is_prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_prepared {
            return Ok(());
        }
        let (ingest, blobs) = (self.ingest(), self.root.join("blobs"));
        self.disk.ensure_folder(&ingest)?;
        if !blobs.is_dir() {
            self.disk.ensure_folder(&blobs)?;
        }
        self.disk.ensure_folder(&blobs.join(Algorithm::Sha256.name()))?;
        self.disk.sync_folder(&blobs)?;
        self.disk.sync_folder(&self.root)?;
        // Nothing depends on its success.
        for file in stale(&ingest) {
            remove_if_unlocked(&self.disk, &file.path);
        }
        *is_prepared = true;
        Ok(())
    }

    /// A new staged file.
    pub(crate) fn stage(&self) -> Result<StagedFile, Error> {
        self.stage_as(false)
    }

    /// A new staged file that is to become a blob: read-only for others, as in containerd.
    pub(crate) fn stage_blob(&self) -> Result<StagedFile, Error> {
        self.stage_as(true)
    }

    /// The part of a blob that an interrupted put has left, or a new one. A file of its own, without any content, if another
    /// process writes the part, or if the part cannot be used.
    pub(crate) fn stage_part(&self, digest: &Digest) -> Result<StagedFile, Error> {
        let ingest = self.ingest();
        match StagedFile::part(&self.disk, &ingest, digest) {
            Ok(Some(part)) => Ok(part),
            Err(error) if ingest.is_dir() => Err(error),
            _ => self.stage_blob(),
        }
    }

    /// The parts of blobs that no put will continue.
    pub(crate) fn abandoned_parts(&self) -> Vec<Leftover> {
        abandoned_parts(&self.ingest(), |digest| blob_path(&self.root, digest).is_file())
    }

    /// Removes the parts of blobs that no put will continue. Nothing depends on its success.
    pub(crate) fn remove_parts(&self) {
        for part in self.abandoned_parts() {
            remove_if_unlocked(&self.disk, &part.path);
        }
    }

    fn stage_as(&self, read_only: bool) -> Result<StagedFile, Error> {
        let ingest = self.ingest();
        match StagedFile::create(&self.disk, &ingest, read_only) {
            Err(_) if !ingest.is_dir() => {
                // Another process has removed the folder since it was made.
                self.disk.ensure_folder(&ingest)?;
                StagedFile::create(&self.disk, &ingest, read_only)
            }
            staged => staged,
        }
    }

    /// Moves a staged file whose content is verified to the place of its blob, durably.
    pub(crate) fn place_blob(&self, staged: StagedFile, digest: &Digest) -> Result<(), Error> {
        let algorithm = digest.algorithm();
        let folder = blob_folder(&self.root, algorithm);
        let made = self.disk.ensure_folder(&folder)?;
        // An existing folder may have just been created by another process and not be durable yet. `prepare` has synced
        // that of sha256.
        if made || algorithm != Algorithm::Sha256 {
            self.disk.sync_folder(&self.root.join("blobs"))?;
        }
        staged.sync()?;
        // A file that another put has placed meanwhile is replaced by an equal one.
        staged.rename(&blob_path(&self.root, digest))?;
        self.folder_sync(algorithm).sync(&self.disk, &folder)
    }

    /// Makes the blobs of an algorithm durable that were placed before.
    pub(crate) fn sync_blobs(&self, algorithm: Algorithm) -> Result<(), Error> {
        let folder = blob_folder(&self.root, algorithm);
        if folder.is_dir() { self.folder_sync(algorithm).sync(&self.disk, &folder) } else { Ok(()) }
    }

    /// Makes a file in the root durable: the process that wrote it may not have waited for the disk.
    pub(crate) fn sync_text(&self, name: &str) -> Result<(), Error> {
        let path = self.root.join(name);
        let file = open_at_once(&path).map_err(|cause| Error::io("open", path.display(), cause))?;
        self.disk.sync_found(&file, &path)
    }

    fn folder_sync(&self, algorithm: Algorithm) -> &FolderSync {
        match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Sha512 => &self.sha512,
        }
    }
}
