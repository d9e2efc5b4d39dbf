//! Takes blobs out of their place, puts them back, or deletes them.
//!
//! A program that looks for a withdrawn blob does not find it, and stores it again. Another program may have found the
//! blob before it was withdrawn. For that program the blob can still be put back. The caller decides which blobs to put
//! back.

use std::fs;
use std::sync::Arc;

use cache_model::{Algorithm, Digest};

use crate::Error;
use crate::layout::collect::collected::CollectedBlob;
use crate::layout::durability::leftovers::{is_gone, withdrawn, withdrawn_path};
use crate::layout::files::blob_path;
use crate::layout::folder::LayoutFolder;

/// Puts all blobs back when it is dropped, unless it was [decided](Self::decided) about them: a collection that fails or is
/// interrupted leaves every blob in its place.
#[derive(Debug)]
pub(crate) struct Undecided(Option<Arc<LayoutFolder>>);

impl Undecided {
    pub(crate) fn new(folder: &Arc<LayoutFolder>) -> Self {
        Self(Some(Arc::clone(folder)))
    }

    pub(crate) fn decided(mut self) {
        self.0 = None;
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            let digests: Vec<Digest> = withdrawn_blobs(folder).iter().map(|blob| blob.digest).collect();
            // If that fails, the next collection does it.
            let _ = put_back(folder, &digests);
        }
    }
}

/// Takes a blob out of its place.
pub(crate) fn withdraw(folder: &LayoutFolder, digest: &Digest) -> Result<(), Error> {
    let (from, to) = (blob_path(folder.root(), digest), withdrawn_path(&folder.ingest(), digest));
    match folder.disk().rename(&from, &to) {
        Err(cause) if is_gone(&cause) => Ok(()),
        renamed => renamed.map_err(|cause| Error::io("rename", from.display(), cause)),
    }
}

/// Puts blobs back in their place, durably. One that was stored again meanwhile stays as it is.
pub(crate) fn put_back(folder: &LayoutFolder, digests: &[Digest]) -> Result<(), Error> {
    for digest in digests {
        let (from, to) = (withdrawn_path(&folder.ingest(), digest), blob_path(folder.root(), digest));
        let moved = match fs::symlink_metadata(&to) {
            Ok(_) => folder.disk().remove(&from),
            Err(_) => folder.disk().rename(&from, &to),
        };
        // Another collection may have done it.
        let moved = moved.or_else(|cause| if is_gone(&cause) { Ok(()) } else { Err(cause) });
        moved.map_err(|cause| Error::io("put back", to.display(), cause))?;
    }
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        if digests.iter().any(|digest| digest.algorithm() == algorithm) {
            folder.sync_blobs(algorithm)?;
        }
    }
    Ok(())
}

/// Deletes a blob that was withdrawn.
pub(crate) fn delete(folder: &LayoutFolder, digest: &Digest) -> Result<(), Error> {
    let path = withdrawn_path(&folder.ingest(), digest);
    match folder.disk().remove(&path) {
        Err(cause) if is_gone(&cause) => Ok(()),
        removed => removed.map_err(|cause| Error::io("remove", path.display(), cause)),
    }
}

/// The blobs that are withdrawn, by this collection or by one that was interrupted.
pub(crate) fn withdrawn_blobs(folder: &LayoutFolder) -> Vec<CollectedBlob> {
    let withdrawn = withdrawn(&folder.ingest());
    withdrawn.into_iter().map(|(digest, file)| CollectedBlob::new(digest, file.bytes)).collect()
}
