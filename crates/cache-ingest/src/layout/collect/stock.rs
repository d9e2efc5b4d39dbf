//! The blobs of a layout as files: their sizes and ages. It changes nothing.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cache_model::{Algorithm, Digest};

use crate::Error;
use crate::layout::files::blob_folder;

/// A file that is named by a digest, in the place of a blob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredBlob {
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
    /// When it was last written; `None` where the file system does not say.
    pub(crate) modified: Option<SystemTime>,
}

/// All blobs of the layout at `root`. Files with other names are none.
pub(crate) fn stored_blobs(root: &Path) -> Result<Vec<StoredBlob>, Error> {
    let mut stored = Vec::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let folder = blob_folder(root, algorithm);
        let failed = |cause| Error::io("read", folder.display(), cause);
        let entries = match fs::read_dir(&folder) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let digest = name.to_str().map(|name| format!("{}:{name}", algorithm.name()).parse());
            let Some(Ok(digest)) = digest else { continue };
            // Another program may have removed it since.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                stored.push(StoredBlob { digest, size: metadata.len(), modified: metadata.modified().ok() });
            }
        }
    }
    Ok(stored)
}
