//! Records every change that a store makes on disk, in order, with the written bytes.
//!
//! It makes no change of its own. It lets the store make one change at a time, so that the recorded order is the order on
//! disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_ingest::{DiskHook, DiskOperation};
use cache_model::Digest;

/// A recorded event. Paths are relative to the recorder's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Change(Change),
    /// A copy begins: from here on the tag may name this manifest.
    Begun(String, Digest),
    /// A copy was reported done: from here on the tag must name this manifest.
    Done(String, Digest),
    /// A tag is about to be removed: from here on it may be absent.
    Removing(String),
}

/// A change on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    CreateFolder(PathBuf),
    /// Unless it exists.
    CreateFile(PathBuf),
    Write {
        path: PathBuf,
        offset: usize,
        bytes: Arc<[u8]>,
    },
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// A hook that records the changes in a folder.
pub(crate) struct Recorder {
    folder: PathBuf,
    steps: Mutex<Vec<Step>>,
}

impl Recorder {
    pub(crate) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self { folder: folder.to_owned(), steps: Mutex::default() })
    }

    pub(crate) fn note(&self, step: Step) {
        self.steps().push(step);
    }

    /// Takes the steps recorded so far.
    pub(crate) fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.steps())
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The change that an operation has made. `None` outside of the folder, and for permissions, which no invariant needs.
    fn change(&self, operation: &DiskOperation<'_>) -> io::Result<Option<Change>> {
        let below = |path: &Path| path.strip_prefix(&self.folder).ok().map(Path::to_owned);
        let change = match *operation {
            DiskOperation::CreateFolder(path) => below(path).map(Change::CreateFolder),
            DiskOperation::CreateFile(path) => below(path).map(Change::CreateFile),
            DiskOperation::Write { path, offset, at_most } => {
                let bytes = read(path, offset, at_most)?.into();
                let offset = usize::try_from(offset).map_err(io::Error::other)?;
                below(path).map(|path| Change::Write { path, offset, bytes })
            }
            DiskOperation::MakeReadOnly(_) => None,
            DiskOperation::SyncFile(path) => below(path).map(Change::SyncFile),
            DiskOperation::SyncFolder(path) => below(path).map(Change::SyncFolder),
            DiskOperation::Rename { from, to } => {
                below(from).zip(below(to)).map(|(from, to)| Change::Rename(from, to))
            }
            DiskOperation::Remove(path) | DiskOperation::RemoveFolder(path) => {
                below(path).map(Change::Remove)
            }
            _ => return Err(io::Error::other("the recorder does not know this operation")),
        };
        Ok(change)
    }
}

impl DiskHook for Recorder {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut steps = self.steps();
        work()?;
        steps.extend(self.change(operation)?.map(Step::Change));
        Ok(())
    }
}

fn read(path: &Path, offset: u64, at_most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(at_most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
