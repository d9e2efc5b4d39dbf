//! Whether a file is an archive that an `ADD` unpacks, and what is in it.
//!
//! BuildKit asks whether the first header of a tar can be read (`solver/llbsolver/file`, `isArchivePath`).

use std::io::{self, Read};

use cache_compress::Decoder;
use cache_explain::AddedFile;

use crate::layer_options::LayerOptions;
use crate::tar::{TarError, read_tar};

/// The first bytes of what BuildKit decompresses, and this crate does not: bzip2 and xz.
const OTHER_COMPRESSIONS: &[&[u8]] = &[b"BZh", b"\xfd7zXZ\0"];
/// A header of a tar.
const BLOCK: usize = 512;

/// Reads a file that an `ADD` takes. The result is unknown for a file that
/// cannot be decompressed, or that is damaged after its first header.
///
/// # Errors
///
/// The first bytes of the file cannot be read.
pub fn read_added_file(file: impl Read, options: &LayerOptions) -> io::Result<AddedFile> {
    let (head, file) = peek(file, BLOCK)?;
    if OTHER_COMPRESSIONS.iter().any(|start| head.starts_with(start)) {
        return Ok(AddedFile::Unknown);
    }
    let tar = Decoder::new(io::Cursor::new(head).chain(file), options.max_expansion)?;
    let Ok((head, tar)) = peek(tar, BLOCK) else { return Ok(AddedFile::Unknown) };
    if head.len() < BLOCK || head.iter().all(|byte| *byte == 0) {
        return Ok(AddedFile::Plain);
    }
    Ok(match read_tar(io::Cursor::new(head).chain(tar), options) {
        Ok(archive) if !archive.is_empty() => AddedFile::Archive(Box::new(archive)),
        Err(TarError::Damaged { position, .. }) if position <= BLOCK as u64 => AddedFile::Plain,
        _ => AddedFile::Unknown,
    })
}

/// The first bytes of a reader, and the reader behind them.
fn peek<R: Read>(mut reader: R, bytes: usize) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::new();
    reader.by_ref().take(bytes as u64).read_to_end(&mut head)?;
    Ok((head, reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> AddedFile {
        read_added_file(bytes, &LayerOptions::default()).unwrap()
    }

    fn tar() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, "a/x", &b"hello"[..]).unwrap();
        tar.into_inner().unwrap()
    }

    #[test]
    fn an_archive_is_told_by_its_first_header() {
        let AddedFile::Archive(archive) = read(&tar()) else { panic!("an archive") };
        let paths: Vec<Vec<u8>> = archive.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, [b"a/x".to_vec()]);
        for plain in [&b""[..], b"text", &[b'a'; 2000], &[0; 2000]] {
            assert!(matches!(read(plain), AddedFile::Plain), "{plain:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        let mut cut = tar();
        cut.truncate(515);
        for unknown in [&cut[..], b"BZh91AY", b"\xfd7zXZ\0\0", b"\x1f\x8b\x08\0broken"] {
            assert!(matches!(read(unknown), AddedFile::Unknown), "{unknown:?}");
        }
    }
}
