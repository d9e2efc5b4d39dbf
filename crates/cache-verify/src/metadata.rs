//! Reading manifests and configs: whole and verified, within a limit.
//!
//! Nothing is parsed here.

use bytes::Bytes;
use cache_format::BUILDKIT_IMPORT_LIMIT;
use cache_ingest::{Error, Resolved, Source, Step, Stored};
use cache_model::Descriptor;

use crate::FindingKind;
use crate::blob::BlobChecker;

/// Why a manifest or config was not read.
pub(crate) enum Unread {
    TooLarge(FindingKind),
    Failed(Error),
}

impl BlobChecker<'_> {
    /// The bytes of a manifest or config.
    pub(crate) async fn metadata(self, descriptor: &Descriptor) -> Result<Bytes, Unread> {
        self.read_metadata(descriptor, self.source(descriptor)).await
    }

    /// The bytes of the manifest that a name stands for.
    pub(crate) async fn resolved(self, resolved: &Resolved) -> Result<Bytes, Unread> {
        self.read_metadata(&resolved.descriptor, resolved.source(self.provider, self.job)).await
    }

    async fn read_metadata(self, descriptor: &Descriptor, source: Source<'_>) -> Result<Bytes, Unread> {
        let (size, limit) = (descriptor.size, self.job.max_metadata);
        if size > limit {
            return Err(Unread::TooLarge(FindingKind::TooLarge { size, limit }));
        }
        let begun = self.job.begin(Step::CheckMetadata, descriptor);
        match source.read(limit).await {
            Ok(bytes) => {
                begun.finish(Stored::AlreadyPresent);
                Ok(bytes)
            }
            Err(error) => {
                begun.fail(&error);
                Err(Unread::Failed(error))
            }
        }
    }

    /// The bytes of a manifest or config, or the finding about it.
    pub(crate) async fn metadata_or_finding(self, descriptor: &Descriptor) -> Result<Bytes, FindingKind> {
        match self.metadata(descriptor).await {
            Ok(bytes) => Ok(bytes),
            Err(Unread::TooLarge(kind)) => Err(kind),
            Err(Unread::Failed(error)) => Err(self.fault(descriptor, error).await),
        }
    }
}

/// The finding that BuildKit does not import a document of this size, if it is above BuildKit's limit.
pub(crate) fn above_import_limit(descriptor: &Descriptor) -> Option<FindingKind> {
    let size = descriptor.size;
    (size > BUILDKIT_IMPORT_LIMIT).then_some(FindingKind::AboveImportLimit { size })
}
