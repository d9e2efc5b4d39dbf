//! Brings the bytes of one file to another: as shared blocks, copied by the kernel, or read and written.
//!
//! An error says which of the two files failed. The copied bytes are not verified here.

use std::fs::File;
use std::io::{self, Read, Write};

/// How many bytes are read at once if the kernel does not copy.
const CHUNK: usize = 256 * 1024;

/// Why bytes could not be copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// Reading failed.
    Read(io::Error),
    /// Writing failed.
    Write(io::Error),
}

/// Makes `to` share the blocks of `from`, if the file system can.
#[cfg(target_os = "linux")]
pub(crate) fn reflink(from: &File, to: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

/// Makes `to` share the blocks of `from`, if the file system can.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reflink(_from: &File, _to: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies at most `limit` bytes from the files' positions, and gives how many: 0 only at the end of `from`.
pub(crate) fn copy_piece(from: &File, to: &File, limit: u64) -> Result<u64, CopyError> {
    #[cfg(target_os = "linux")]
    {
        let len = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Ok(copied @ 1..) = rustix::fs::copy_file_range(from, None, to, None, len) {
            return Ok(copied as u64);
        }
        // The kernel cannot, or the file ends, or one of the files is broken: reading and writing finds out which.
    }
    read_and_write(from, to, limit)
}

fn read_and_write(mut from: &File, mut to: &File, limit: u64) -> Result<u64, CopyError> {
    let mut buffer = vec![0; usize::try_from(limit).unwrap_or(CHUNK).min(CHUNK)];
    let mut copied = 0;
    while copied < limit {
        let len = usize::try_from(limit - copied).unwrap_or(usize::MAX).min(CHUNK);
        let read = match from.read(buffer.get_mut(..len).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(CopyError::Read(cause)),
        };
        to.write_all(buffer.get(..read).unwrap_or_default()).map_err(CopyError::Write)?;
        copied += read as u64;
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;

    fn content(mut file: &File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn both_ways_of_copying_go_on_where_the_files_stand_and_stop_at_the_limit() {
        let bytes: Vec<u8> = (0..700_000u32).map(|n| (n % 251) as u8).collect();
        for copy in [copy_piece, read_and_write] {
            let (mut from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
            from.write_all(&bytes).unwrap();
            from.seek(SeekFrom::Start(0)).unwrap();
            assert_eq!(copy(&from, &to, 300_001).unwrap(), 300_001);
            assert_eq!(content(&to), bytes[..300_001]);
            assert_eq!(copy(&from, &to, u64::MAX >> 1).unwrap(), 399_999);
            assert_eq!(copy(&from, &to, 1).unwrap(), 0, "the end");
            assert_eq!(content(&to), bytes);
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_error_says_whether_it_was_reading_or_writing() {
        let (folder, file) = (tempfile::tempdir().unwrap(), tempfile::tempfile().unwrap());
        let unreadable = File::open(folder.path()).unwrap();
        assert!(matches!(copy_piece(&unreadable, &file, 10), Err(CopyError::Read(_))));
        let path = folder.path().join("file");
        std::fs::write(&path, "bytes").unwrap();
        let (from, unwritable) = (File::open(&path).unwrap(), File::open(&path).unwrap());
        assert!(matches!(copy_piece(&from, &unwritable, 10), Err(CopyError::Write(_))));
    }
}
