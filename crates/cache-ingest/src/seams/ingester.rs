//! What takes blobs: the trait [`Ingester`].

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{Error, Source, Stored};

/// Takes blobs.
///
/// Laws: putting is idempotent, and a blob that is there already is a success ([`Stored::AlreadyPresent`]). A blob
/// becomes visible whole and verified, or not at all: after an error, or when the future is dropped, nothing of it is
/// visible. Two puts of one blob at the same time both succeed.
#[async_trait]
pub trait Ingester: Send + Sync {
    /// Stores the blob that `source` gives.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error>;
}
