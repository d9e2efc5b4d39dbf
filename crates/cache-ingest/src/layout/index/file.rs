//! Reads the file `index.json`, which another process may be writing at that moment.
//!
//! BuildKit truncates the file and then writes it, so that what is found may be nothing or a part. Such a text is not
//! believed before it was found a few times in a row. Nothing here writes or locks.

use std::time::Duration;

use tokio::time::sleep;

use crate::layout::files::read_small;
use crate::layout::index::document::Index;
use crate::layout::store::LayoutStore;
use crate::layout::threads::blocking::blocking;
use crate::{Error, ErrorKind};

/// How often an index that is empty or cannot be understood is read before it is believed.
pub(crate) const READS: u32 = 5;
/// The wait between two of these reads.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

impl LayoutStore {
    pub(crate) fn read_index_text(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path().join("index.json");
        let limit = self.max_metadata;
        read_small(&path, limit, || Error::above_metadata_limit("read", path.display(), None, limit))
    }

    /// The index that the file's text is. `None` where it may be unfinished and this is not the last read.
    pub(crate) fn settled_index(&self, text: Option<&[u8]>, is_last: bool) -> Result<Option<Index>, Error> {
        if text.is_some_and(<[u8]>::is_empty) && !is_last {
            return Ok(None);
        }
        match Index::parse(text.unwrap_or_default()) {
            Ok(index) => Ok(Some(index)),
            Err(_) if !is_last => Ok(None),
            Err(cause) => {
                let path = self.path().join("index.json");
                Err(Error::new(ErrorKind::Corrupt, "read", path.display(), &cause).with_cause(cause))
            }
        }
    }

    /// Reads the index without a lock.
    pub(crate) async fn read_index(&self) -> Result<Index, Error> {
        let mut read = 1;
        loop {
            let (store, is_last) = (self.clone(), read >= READS);
            let index = blocking("read", move || {
                let text = store.read_index_text()?;
                store.settled_index(text.as_deref(), is_last)
            });
            if let Some(index) = index.await? {
                return Ok(index);
            }
            sleep(PAUSE).await;
            read += 1;
        }
    }
}
