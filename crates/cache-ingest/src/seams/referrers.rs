//! Manifests that refer to another one: the trait [`Referrers`].

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;

use crate::Error;

/// Keeps manifests that refer to another manifest of the store by their `subject` (OCI image specification, manifest.md), such
/// as signatures and labels. They need no name, since their subject leads to them.
///
/// Duties, each a law of `cache-conformance`:
/// - A referrer is listed for its subject and for no other, once, however often it was added. It can be read as a blob.
/// - The descriptor in the list has the digest, size, media type, artifact type and annotations that the referrer was added with.
/// - A manifest to which nothing refers has an empty list.
/// - Adding a referrer changes no name.
/// - Bytes that do not fit the descriptor are an error, and do not become visible.
#[async_trait]
pub trait Referrers: Send + Sync {
    /// The manifests that refer to `subject`, in any order.
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error>;

    /// Stores `bytes`, which have the digest and size of `referrer`, and in which `subject` is the subject. The caller has stored
    /// everything else that they name, and has published the subject.
    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error>;
}
