//! Naming manifests: the trait [`Publisher`].

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::{Descriptor, Digest};

use crate::{Error, Expect, Name};

/// What a name stands for before a manifest is published under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// For nothing, or the store does not say.
    Unknown,
    /// For that manifest, which need not be published again.
    Published,
    /// For the manifest with this digest.
    Other(Digest),
}

/// Names a manifest, which makes a cache visible.
///
/// The caller publishes a manifest after it has stored everything that the manifest names. A store that checks this
/// gives [`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete) if something is missing.
///
/// Duties, each a law of `cache-conformance`:
/// - A published manifest can be read as a blob, and resolves by its name and by its digest. Without a name it is tagged
///   [`latest`](Name::LATEST) and is the default.
/// - Publishing again is idempotent, and publishing under one name changes no other.
/// - If `expect` is not met, nothing changes, and the error is [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
/// - Bytes that do not fit the descriptor are an error; the name does not change, and the bytes do not become visible.
/// - A reader sees the old or the new manifest, never a mixture.
/// - Of several publishers that expect a name to be free, one wins, if the store [compares and swaps](Self::is_atomic).
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Stores `bytes`, which have the digest and size of `descriptor`, and makes `name` stand for them.
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error>;

    /// What `name` stands for before the manifest of `descriptor` is published. [`Standing::Unknown`] is always a right
    /// answer. It says nothing of the blobs that a manifest names: a store may have lost one.
    async fn standing(&self, name: &Name, descriptor: &Descriptor) -> Result<Standing, Error> {
        let _ = (name, descriptor);
        Ok(Standing::Unknown)
    }

    /// Whether [`publish`](Self::publish) compares and swaps in one step, so that no other publisher can come in between.
    /// [`Swap`](crate::Swap) looks once more after a publish to a store that does not. False is always a right answer.
    fn is_atomic(&self) -> bool {
        false
    }
}
