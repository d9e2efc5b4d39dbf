//! How a layout is opened. Data only.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{DiskHook, Job};

/// How a [`LayoutStore`](crate::LayoutStore) is opened and written to.
///
/// The default opens an existing layout, trusts its blobs by their size, and syncs what it writes.
#[derive(Clone)]
#[non_exhaustive]
pub struct LayoutOptions {
    /// Whether the layout is made if the folder is absent or empty.
    pub create: bool,
    /// Whether a layout that would be made is only checked: nothing is made, and a folder that is absent or empty counts as a
    /// layout without entries. For finding out what a copy would write; nothing may be written to it.
    pub dry_run: bool,
    /// Whether writing waits for the disk (fsync), so that a crash of the machine loses nothing that was reported done.
    ///
    /// Without, a crash of the machine may lose or garble what was written; a crash of the process loses nothing. That is
    /// for folders that are thrown away, as those of tests and of CI. A later copy with fsync does not make up for it: it
    /// trusts the blobs that it finds by their size and syncs their names alone, unless it [rehashes](Self::rehash).
    pub sync: bool,
    /// Whether a put reads and hashes the blob that is there already, and replaces a wrong one. By default a blob is
    /// trusted by its size.
    ///
    /// With [`sync`](Self::sync) the content of a right one is made durable, on Unix: the process that wrote it may not
    /// have waited for the disk.
    pub rehash: bool,
    /// How long a publish waits for other processes that publish; 30 seconds by default.
    pub lock_wait: Duration,
    /// The greatest size, in bytes, of `index.json`, and of a manifest whose media type has to be read from inside it: the
    /// limit of [`Job::max_metadata`].
    pub max_metadata: u64,
    /// Stands between the store and its disk from the first folder on, for tests of crashes and broken disks.
    pub hook: Option<Arc<dyn DiskHook>>,
}

impl LayoutOptions {
    /// The default, except that the layout is made if the folder is absent or empty.
    pub fn create() -> Self {
        Self::default().with_create(true)
    }

    /// Sets [`create`](Self::create).
    #[must_use]
    pub fn with_create(self, create: bool) -> Self {
        Self { create, ..self }
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Sets [`sync`](Self::sync).
    #[must_use]
    pub fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    /// Sets [`rehash`](Self::rehash).
    #[must_use]
    pub fn with_rehash(self, rehash: bool) -> Self {
        Self { rehash, ..self }
    }

    /// Sets [`lock_wait`](Self::lock_wait).
    #[must_use]
    pub fn with_lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Sets [`max_metadata`](Self::max_metadata).
    #[must_use]
    pub fn with_max_metadata(self, max_metadata: u64) -> Self {
        Self { max_metadata, ..self }
    }

    /// Sets [`hook`](Self::hook).
    #[must_use]
    pub fn with_hook(self, hook: Arc<dyn DiskHook>) -> Self {
        Self { hook: Some(hook), ..self }
    }
}

impl Default for LayoutOptions {
    fn default() -> Self {
        Self {
            create: false,
            dry_run: false,
            sync: true,
            rehash: false,
            lock_wait: Duration::from_secs(30),
            max_metadata: Job::DEFAULT_MAX_METADATA,
            hook: None,
        }
    }
}

impl fmt::Debug for LayoutOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayoutOptions")
            .field("create", &self.create)
            .field("dry_run", &self.dry_run)
            .field("sync", &self.sync)
            .field("rehash", &self.rehash)
            .field("lock_wait", &self.lock_wait)
            .field("max_metadata", &self.max_metadata)
            .field("hook", &self.hook.is_some())
            .finish()
    }
}
