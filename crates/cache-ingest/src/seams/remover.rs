//! Taking names away: the trait [`Remover`].

use async_trait::async_trait;

use crate::{Error, Name};

/// Takes names away from manifests. Blobs stay until something collects them.
///
/// Duties, each a law of `cache-conformance`:
/// - After a tag is removed it stands for nothing. Every other name keeps its manifest, also another tag of the same one.
/// - Removing a digest takes all names of that manifest away, and no other.
/// - Removing a name that stands for nothing is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
/// - A store that cannot remove a tag alone, as docker-registry before version 3, gives
///   [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) and changes nothing.
#[async_trait]
pub trait Remover: Send + Sync {
    /// Takes a name away.
    async fn remove_name(&self, name: &Name) -> Result<(), Error>;
}
