//! A folder of files named by their digests, as a build tool may leave its layers.
//!
//! It only gives blobs: it has no manifests and no names, and is never written to. Its bytes are not verified here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use cache_model::{Descriptor, Digest};

use crate::layout::{blocking, stream_file};
use crate::{ByteStream, Error, ErrorKind, Info, Provider};

/// Blobs in a folder, each in a file named by its digest: `sha256:<hex>`, `sha256-<hex>`, `sha256/<hex>` or `<hex>`.
#[derive(Clone, Debug)]
pub struct BlobFolder {
    root: PathBuf,
}

impl BlobFolder {
    /// The blobs of a folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it does not exist, [`ErrorKind::Invalid`] if it is no folder, [`ErrorKind::Unsupported`]
    /// outside of a Tokio runtime, which its methods need too.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = path.into();
        blocking("open", move || {
            let metadata = root.metadata().map_err(|cause| Error::io("open", root.display(), cause))?;
            if metadata.is_dir() {
                Ok(Self { root })
            } else {
                Err(Error::new(ErrorKind::Invalid, "open", root.display(), "it is not a folder"))
            }
        })
        .await
    }

    /// The file of a blob, and its size in bytes.
    fn open_blob(&self, digest: &Digest) -> Result<(File, u64), Error> {
        for path in candidates(&self.root, digest) {
            let failed = |cause| Error::io("open", path.display(), cause);
            // Opening a pipe would wait for ever, so the kind of file is looked up first.
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => continue,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(failed(cause)),
            }
            let file = File::open(&path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_file() {
                return Ok((file, metadata.len()));
            }
        }
        let reason = format_args!("no file in {} is named by it", self.root.display());
        Err(Error::new(ErrorKind::NotFound, "open", digest, reason))
    }
}

fn candidates(root: &Path, digest: &Digest) -> [PathBuf; 4] {
    let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
    [
        root.join(format!("{algorithm}:{hex}")),
        root.join(format!("{algorithm}-{hex}")),
        root.join(algorithm).join(&hex),
        root.join(&hex),
    ]
}

#[async_trait]
impl Provider for BlobFolder {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let (folder, digest) = (self.clone(), descriptor.digest);
        blocking("open", move || folder.open_blob(&digest).map(|(_, size)| Info::new(size))).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let (folder, digest) = (self.clone(), descriptor.digest);
        let path = self.root.join(digest.to_string());
        stream_file(path, digest, offset, move || folder.open_blob(&digest)).await
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        self.open_blob(&descriptor.digest).ok().map(|(file, _)| file)
    }
}
