//! An OCI image layout in a tar (OCI image specification, image-layout.md), read without unpacking it.
//!
//! A tar has its files in any order, so each question is a pass over it. A pass decompresses all bytes and keeps only the
//! asked ones, so a large trace beside the record costs no memory. Extended headers are not followed: the names in a
//! layout are short, and BuildKit's clients write no others.

use std::collections::HashMap;
use std::io::{self, Read};

use cache_compress::Decoder;
use cache_ingest::Verifier;
use cache_model::{Descriptor, Digest, count};
use thiserror::Error;

use crate::record::RecordError;

/// The most bytes of an archive after decompression.
const LARGEST_ARCHIVE: u64 = 1 << 30;

/// The most bytes of the documents that one pass keeps, as many as a job reads of metadata by default.
const LARGEST_DOCUMENTS: u64 = cache_ingest::Job::DEFAULT_MAX_METADATA;

/// A layout in a tar, which may be compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayoutArchive<'a> {
    bytes: &'a [u8],
}

/// Why an archive does not give a document.
#[derive(Debug, Error)]
pub(crate) enum ArchiveError {
    #[error("it is no tar that can be read: {0}")]
    Tar(io::Error),
    #[error("it has no index.json, as an OCI layout has")]
    NoIndex,
    #[error("it lacks the blob {0}")]
    NoBlob(Digest),
    #[error("its documents have more than {}", count(LARGEST_DOCUMENTS, "byte"))]
    TooLarge,
    #[error(transparent)]
    Damaged(cache_ingest::Error),
}

/// A blob of an archive, which is verified while it is read.
struct BlobReader<R> {
    inner: R,
    verifier: Verifier,
    damage: Option<cache_ingest::Error>,
}

impl<'a> LayoutArchive<'a> {
    /// The archive with these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The document `index.json`.
    pub(crate) fn index(self) -> Result<Vec<u8>, ArchiveError> {
        let mut found = None;
        self.visit_files(|path, file| {
            if path != b"index.json" {
                return Ok(false);
            }
            let mut bytes = Vec::new();
            file.take(LARGEST_DOCUMENTS + 1).read_to_end(&mut bytes).map_err(ArchiveError::Tar)?;
            found = Some(bytes);
            Ok(true)
        })?;
        let index = found.ok_or(ArchiveError::NoIndex)?;
        if index.len() as u64 > LARGEST_DOCUMENTS { Err(ArchiveError::TooLarge) } else { Ok(index) }
    }

    /// The bytes of blobs, verified.
    pub(crate) fn read_blobs(self, wanted: &[&Descriptor]) -> Result<HashMap<Digest, Vec<u8>>, ArchiveError> {
        check_total(wanted)?;
        let mut found = HashMap::new();
        self.visit_blobs(wanted, &mut |digest, blob| {
            let mut bytes = Vec::new();
            blob.read_to_end(&mut bytes).map_err(ArchiveError::Tar)?;
            found.insert(digest, bytes);
            Ok(())
        })?;
        Ok(found)
    }

    /// Gives each of the blobs to `visit` as a reader, in the order of the tar. A blob that turns out to be damaged ends it
    /// with [`ArchiveError::Damaged`], whatever `visit` makes of its bytes.
    pub(crate) fn visit_blobs<E: From<ArchiveError>>(
        self,
        wanted: &[&Descriptor],
        visit: &mut dyn FnMut(Digest, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = |blob: &Descriptor| format!("blobs/{}/{}", blob.digest.algorithm(), blob.digest.hex());
        let mut wanted: HashMap<Vec<u8>, &Descriptor> =
            wanted.iter().map(|blob| (path(blob).into_bytes(), *blob)).collect();
        if !wanted.is_empty() {
            self.visit_files(|path, file| -> Result<bool, E> {
                let Some(blob) = wanted.remove(path) else { return Ok(false) };
                let mut reader = BlobReader::new(file, blob);
                let visited = visit(blob.digest, &mut reader);
                reader.finish()?;
                visited?;
                Ok(wanted.is_empty())
            })?;
        }
        let missing = wanted.into_values().map(|blob| blob.digest).min();
        missing.map_or(Ok(()), |digest| Err(ArchiveError::NoBlob(digest).into()))
    }

    /// Gives each regular file to `visit` until it returns true. Of several files with one path, `visit` decides.
    fn visit_files<E: From<ArchiveError>>(
        self,
        mut visit: impl FnMut(&[u8], &mut dyn Read) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut tar =
            tar::Archive::new(Decoder::new(self.bytes, LARGEST_ARCHIVE).map_err(ArchiveError::Tar)?);
        for entry in tar.entries().map_err(ArchiveError::Tar)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::Tar)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path_bytes().into_owned();
            let path = path.strip_prefix(b"./").unwrap_or(&path);
            if visit(path, &mut entry)? {
                break;
            }
        }
        Ok(())
    }
}

impl From<ArchiveError> for RecordError {
    fn from(error: ArchiveError) -> Self {
        Self::damaged(error.to_string())
    }
}

impl<R: Read> BlobReader<R> {
    fn new(inner: R, blob: &Descriptor) -> Self {
        Self { inner, verifier: Verifier::new(blob), damage: None }
    }

    /// Reads the rest of the blob, and compares it with its digest.
    fn finish(mut self) -> Result<(), ArchiveError> {
        let drained = io::copy(&mut self, &mut io::sink());
        match self.damage {
            Some(damage) => Err(ArchiveError::Damaged(damage)),
            None => {
                drained.map_err(ArchiveError::Tar)?;
                self.verifier.finish().map_err(ArchiveError::Damaged)
            }
        }
    }
}

impl<R: Read> Read for BlobReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(into)?;
        if let Err(damage) = self.verifier.update(into.get(..len).unwrap_or_default()) {
            self.damage = Some(damage);
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(len)
    }
}

/// Refuses documents that are too large to be kept together.
pub(crate) fn check_total(documents: &[&Descriptor]) -> Result<(), ArchiveError> {
    let total = documents.iter().try_fold(0u64, |sum, blob| sum.checked_add(blob.size));
    if total.is_some_and(|total| total <= LARGEST_DOCUMENTS) { Ok(()) } else { Err(ArchiveError::TooLarge) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::io::Write;

    use cache_model::MediaType;

    use super::*;

    /// A tar with these files.
    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o444);
            tar.append_data(&mut header, path, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn descriptor(bytes: &[u8]) -> Descriptor {
        Descriptor::of(MediaType::default(), bytes)
    }

    fn path(blob: &Descriptor) -> String {
        format!("blobs/sha256/{}", blob.digest.hex())
    }

    fn read(tar: &[u8], wanted: &[&Descriptor]) -> Result<HashMap<Digest, Vec<u8>>, ArchiveError> {
        LayoutArchive::new(tar).read_blobs(wanted)
    }

    #[test]
    fn files_are_found_in_any_order_and_compression() {
        let (one, two) = (descriptor(b"one"), descriptor(b"two"));
        let dotted = format!("./{}", path(&two));
        let tar = tar(&[(&path(&one), b"one"), ("a/b", b"x"), (&dotted, b"two"), ("./index.json", b"{}")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        for bytes in [tar, gzip.finish().unwrap()] {
            assert_eq!(LayoutArchive::new(&bytes).index().unwrap(), b"{}");
            let found = read(&bytes, &[&two, &one, &two]).unwrap();
            assert_eq!(found[&one.digest], b"one");
            assert_eq!(found[&two.digest], b"two");
            assert!(read(&bytes, &[]).unwrap().is_empty());
        }
    }

    #[test]
    fn a_blob_that_is_missing_or_no_file_is_named() {
        let (one, two) = (descriptor(b"one"), descriptor(b"two"));
        let mut tar = tar::Builder::new(tar(&[(&path(&one), b"one")]));
        let mut link = tar::Header::new_ustar();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        tar.append_link(&mut link, path(&two), path(&one)).unwrap();
        let tar = tar.into_inner().unwrap();
        let error = read(&tar, &[&one, &two]).unwrap_err();
        assert_eq!(error.to_string(), format!("it lacks the blob {}", two.digest));
        let error = LayoutArchive::new(&tar).index().unwrap_err();
        assert_eq!(error.to_string(), "it has no index.json, as an OCI layout has");
    }

    #[test]
    fn a_blob_of_other_bytes_or_another_size_is_damaged_whatever_its_reader_makes_of_it() {
        let one = descriptor(b"one");
        for bytes in [&b"two"[..], b"on", b"one and more"] {
            let tar = tar(&[(&path(&one), bytes)]);
            assert!(matches!(read(&tar, &[&one]), Err(ArchiveError::Damaged(_))), "{bytes:?}");
            let visited =
                LayoutArchive::new(&tar).visit_blobs(&[&one], &mut |_, _| Err(ArchiveError::NoIndex));
            assert!(matches!(visited, Err(ArchiveError::Damaged(_))), "{bytes:?}");
        }
        let whole = tar(&[(&path(&one), b"one")]);
        let visited = LayoutArchive::new(&whole).visit_blobs(&[&one], &mut |_, _| Err(ArchiveError::NoIndex));
        assert!(matches!(visited, Err(ArchiveError::NoIndex)));
    }

    #[test]
    fn what_is_no_tar_or_ends_early_is_an_error() {
        let one = descriptor(b"one");
        let whole = tar(&[(&path(&one), b"one")]);
        for bytes in [&b"no tar"[..], b"\x1f\x8b\x08\0", &whole[..300], &[b'x'; 1024]] {
            let read = read(bytes, &[&one]);
            assert!(matches!(read, Err(ArchiveError::Tar(_))), "{read:?}");
        }
        assert!(matches!(read(b"", &[&one]), Err(ArchiveError::NoBlob(_))));
    }

    #[test]
    fn documents_above_the_limit_are_not_read() {
        let mut large = descriptor(b"one");
        let tar = tar(&[(&path(&large), b"one")]);
        for size in [LARGEST_DOCUMENTS + 1, u64::MAX] {
            large.size = size;
            assert!(matches!(read(&tar, &[&large]), Err(ArchiveError::TooLarge)));
        }
    }
}
