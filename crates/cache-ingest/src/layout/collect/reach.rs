//! The blobs that documents lead to, from document to document.
//!
//! Each document is read once, verified. A blob that is no JSON leads nowhere. One that its descriptor calls JSON and that
//! cannot be read ends the search: it may lead to anything. It changes nothing.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use cache_model::Digest;

use crate::layout::collect::references::{Reference, is_document, references};
use crate::layout::durability::leftovers::withdrawn_path;
use crate::layout::files::open_blob;
use crate::layout::index::document::Index;
use crate::{Error, ErrorKind, Hasher};

/// A blob at which a search begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) reference: Reference,
    /// Whether its absence ends the search.
    pub(crate) must_exist: bool,
}

/// The documents of a layout that were read.
#[derive(Debug)]
pub(crate) struct Documents {
    root: PathBuf,
    /// The greatest size of a document, in bytes.
    limit: u64,
    /// The digests in each blob that was looked into; none in one that is no document.
    read: HashMap<Digest, Vec<Reference>>,
}

impl Documents {
    pub(crate) fn new(root: PathBuf, limit: u64) -> Self {
        Self { root, limit, read: HashMap::new() }
    }

    /// The entries of an index, as the beginning of a search.
    pub(crate) fn roots(index: &Index) -> Result<Vec<Root>, Error> {
        let root = |entry: &crate::LayoutEntry| {
            let descriptor = entry.descriptor()?;
            let is_document = descriptor.media_type.is_empty() || is_document(&descriptor.media_type);
            let reference = Reference { digest: descriptor.digest, is_document };
            Ok(Root { reference, must_exist: true })
        };
        index.entries().map(root).collect()
    }

    /// Everything that the roots lead to, with the roots themselves, whether it exists or not.
    pub(crate) fn reached(
        &mut self,
        roots: impl IntoIterator<Item = Root>,
    ) -> Result<HashSet<Digest>, Error> {
        let mut reached = HashSet::new();
        let mut waiting: Vec<Root> = roots.into_iter().collect();
        // One that was met as a plain digest is looked at again where a descriptor calls it a document.
        let mut documents = HashSet::new();
        while let Some(root) = waiting.pop() {
            let Reference { digest, is_document } = root.reference;
            let is_new = reached.insert(digest);
            let is_news = is_document && documents.insert(digest);
            if is_new || is_news {
                let found = self.references(root)?;
                waiting.extend(found.iter().map(|&reference| Root { reference, must_exist: false }));
            }
        }
        Ok(reached)
    }

    fn references(&mut self, root: Root) -> Result<&[Reference], Error> {
        let Reference { digest, is_document } = root.reference;
        // A document without digests is read again where it has to be one.
        let is_known = self.read.get(&digest).is_some_and(|found| !is_document || !found.is_empty());
        if !is_known {
            match read(&self.root, &digest, self.limit) {
                Ok(found) => drop(self.read.insert(digest, found)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if root.must_exist {
                        return Err(unreadable(&digest, "it is missing", error));
                    }
                    // It may be stored later.
                    return Ok(&[]);
                }
                Err(error) if is_document => {
                    let reason = error.reason().to_owned();
                    return Err(unreadable(&digest, &reason, error));
                }
                Err(error) if is_about_content(&error) => drop(self.read.insert(digest, Vec::new())),
                Err(error) => return Err(error),
            }
        }
        Ok(self.read.get(&digest).map_or(&[], Vec::as_slice))
    }
}

/// The digests in a document.
fn read(root: &Path, digest: &Digest, limit: u64) -> Result<Vec<Reference>, Error> {
    let (mut file, size) = open(root, digest)?;
    let failed = |cause| Error::io("read", digest, cause);
    if !begins_as_json(&mut file).map_err(failed)? {
        return Err(Error::new(ErrorKind::Corrupt, "read", digest, "it is not a JSON document"));
    }
    if size > limit {
        return Err(Error::above_metadata_limit("read", digest, Some(size), limit));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if Hasher::digest(digest.algorithm(), &bytes) != *digest {
        return Err(Error::new(ErrorKind::Corrupt, "read", digest, "its content is damaged"));
    }
    references(&bytes)
        .map_err(|cause| Error::new(ErrorKind::Corrupt, "read", digest, &cause).with_cause(cause))
}

/// Opens a blob in its place, or where a collection has put it: a name may lead to it by now.
fn open(root: &Path, digest: &Digest) -> Result<(File, u64), Error> {
    open_blob("read", root, digest).or_else(|error| {
        let withdrawn = withdrawn_path(&root.join("ingest"), digest);
        let is_file =
            |file: File| file.metadata().ok().filter(Metadata::is_file).map(|found| (file, found.len()));
        let withdrawn = if error.kind() == ErrorKind::NotFound { File::open(withdrawn).ok() } else { None };
        withdrawn.and_then(is_file).ok_or(error)
    })
}

/// Whether the first character of a file, behind white space, begins an object. So nothing more is read of a layer.
fn begins_as_json(file: &mut File) -> std::io::Result<bool> {
    let mut start = [0; 64];
    let read = file.read(&mut start)?;
    let first = start.iter().take(read).find(|byte| !byte.is_ascii_whitespace());
    Ok(first == Some(&b'{'))
}

/// Whether an error says that a blob is no document, and not that it could not be read.
fn is_about_content(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge)
}

/// The error of a document that may lead to any blob.
fn unreadable(digest: &Digest, reason: &str, error: Error) -> Error {
    let reason = format_args!("{reason}, so it is unknown which blobs it needs, and nothing is deleted");
    Error::new(error.kind(), "read", digest, reason).with_cause(error)
}
