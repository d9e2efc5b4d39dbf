//! Hashing one entry of a context. Files are read in pieces.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use cache_ingest::{Event, Progress};
use cache_keys::{Entry, EntryKind, Header};

use super::attributes::{path_below, xattrs_of};
use super::context_error::ContextError;
use super::walk::ContextEntry;
use crate::also::{AlsoHeaders, HashedFile};

/// How many bytes are read and hashed at once.
const BUFFER: usize = 256 * 1024;
/// After so many bytes of a file, progress is reported.
const REPORTED: u64 = 16 << 20;

/// What is the same for all entries of a context.
pub(super) struct FileHasher<'c> {
    pub(super) root: &'c Path,
    pub(super) also: &'c AlsoHeaders,
    pub(super) progress: &'c dyn Progress,
}

impl FileHasher<'_> {
    /// Hashes an entry. The buffer is for files; it may be empty, and is best used again.
    pub(super) fn hash(&self, entry: &ContextEntry, buffer: &mut Vec<u8>) -> Result<Entry, ContextError> {
        let path = path_below(self.root, &entry.path);
        let of_entry = |cause| ContextError::Entry { path: path.clone(), cause };
        // Root owns all that a client sends.
        let header = Header::new(entry.mode, 0, 0).with_xattrs(xattrs_of(&path).map_err(of_entry)?);
        let EntryKind::File { size } = entry.kind else { return Ok(Entry::of(header, entry.kind.clone())) };
        let mut hashed = HashedFile::new(&entry.path, header, size, self.also);
        // Without bytes nothing has to be opened, and a socket could not be.
        let read = if size == 0 { 0 } else { self.read(&path, buffer, &mut hashed).map_err(of_entry)? };
        if read != size {
            return Err(ContextError::Changed { path });
        }
        self.progress.event(&Event::FilesRead { files: 1, bytes: read % REPORTED });
        Ok(hashed.finish())
    }

    /// Hashes all bytes of a file, and returns their number.
    fn read(&self, path: &Path, buffer: &mut Vec<u8>, hashed: &mut HashedFile) -> io::Result<u64> {
        buffer.resize(BUFFER, 0);
        let mut file = File::open(path)?;
        let (mut read, mut unreported) = (0, 0);
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(read),
                Ok(len) => {
                    hashed.update(buffer.get(..len).unwrap_or_default());
                    read += len as u64;
                    unreported += len as u64;
                    while unreported >= REPORTED {
                        unreported -= REPORTED;
                        self.progress.event(&Event::FilesRead { files: 0, bytes: REPORTED });
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
