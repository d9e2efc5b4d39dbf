//! Storing blobs: the trait [`Ingester`].

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{Error, Source, Stored};

/// Takes blobs.
///
/// Duties, each a law of `cache-conformance`:
/// - A put is idempotent: a blob that the store has already is a success, [`Stored::AlreadyPresent`].
/// - A blob becomes visible whole and verified, or not at all. While a put is under way, after an error, after a panic of
///   the source and after its future was dropped, nothing of the blob is visible, and it can be put again.
/// - A source that is short, long or different, in its stream or in its file, is
///   [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) with that [`Mismatch`](crate::Mismatch) as a cause. So is a descriptor
///   of the wrong size.
/// - The error of a source that fails keeps its kind. A failed put leaves a blob that the store has.
/// - A source of single bytes, an empty one, one with a file, and one whose stream breaks and is opened again are stored
///   like any other.
/// - Puts at the same time do not disturb each other; of one blob both succeed.
/// - A store that takes sha512 digests verifies by them.
#[async_trait]
pub trait Ingester: Send + Sync {
    /// Stores the blob that `source` gives.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error>;
}
