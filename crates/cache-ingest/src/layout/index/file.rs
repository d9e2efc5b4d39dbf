//! Reads the file `index.json`, which another process may be writing at that moment.
//!
//! BuildKit truncates the file and then writes it, so that a reader may find nothing or a part of it. Such a text is
//! believed only after several reads have found it. Nothing here writes or locks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::files::read_small;
use crate::layout::index::document::Index;
use crate::layout::threads::blocking::blocking;
use crate::runtime::pause;
use crate::{Error, ErrorKind};

/// How often an index that is empty or cannot be parsed is read before it is believed.
pub(crate) const READS: u32 = 5;
/// The wait between two of these reads.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// The index of a layout on disk.
#[derive(Clone, Debug)]
pub(crate) struct IndexFile {
    path: PathBuf,
    limit: u64,
    /// Whether an index that is absent has no entries, as in a folder that is written to for the first time.
    may_be_absent: bool,
}

impl IndexFile {
    /// The index of the layout at `root`, of at most `limit` bytes.
    pub(crate) fn new(root: &Path, limit: u64, may_be_absent: bool) -> Self {
        Self { path: root.join("index.json"), limit, may_be_absent }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The limit of metadata, in bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The text as it is now; `None` where there is no file.
    pub(crate) fn read_text(&self) -> Result<Option<Vec<u8>>, Error> {
        let too_large = || Error::above_metadata_limit("read", self.path.display(), None, self.limit);
        read_small(&self.path, self.limit, too_large)
    }

    /// Parses a text. `None` where it may be unfinished and this is not the last read.
    pub(crate) fn parse_settled(&self, text: Option<&[u8]>, is_last: bool) -> Result<Option<Index>, Error> {
        if text.is_some_and(<[u8]>::is_empty) && !is_last {
            return Ok(None);
        }
        match Index::parse(text.unwrap_or_default()) {
            Ok(index) => Ok(Some(index)),
            Err(_) if !is_last => Ok(None),
            Err(cause) => {
                Err(Error::new(ErrorKind::Corrupt, "read", self.path.display(), &cause).with_cause(cause))
            }
        }
    }

    /// Reads the index, without a lock. [`ErrorKind::NotFound`] if it is absent and may not be.
    pub(crate) async fn read(&self) -> Result<Index, Error> {
        let mut read = 1;
        loop {
            let (file, is_last) = (self.clone(), read >= READS);
            let index = blocking("read", move || {
                let text = file.read_text()?;
                if text.is_none() && !file.may_be_absent {
                    return Err(file.absent());
                }
                file.parse_settled(text.as_deref(), is_last)
            });
            if let Some(index) = index.await? {
                return Ok(index);
            }
            pause("read", PAUSE).await?;
            read += 1;
        }
    }

    /// The error of an index that is absent.
    pub(crate) fn absent(&self) -> Error {
        let reason = "there is no such file, so no tags are known: it was removed, or the first export to the folder was interrupted; export to it again";
        Error::new(ErrorKind::NotFound, "read", self.path.display(), reason)
    }
}
