//! What names manifests: the trait [`Publisher`].

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;

use crate::{Error, Expect, Name};

/// Names a manifest, which makes a cache visible.
///
/// Laws: everything that the manifest names is stored before it is published; a reader sees the old or the new one,
/// never a mixture; when `expect` is not met nothing changes and the error is
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict). A store that checks whether all of it is there says that it is
/// not by [`ErrorKind::Incomplete`](crate::ErrorKind::Incomplete).
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

    /// Whether `name` is known to stand for the manifest of `descriptor` already, with all that it names, so that
    /// nothing has to be stored. `false` is always a right answer.
    ///
    /// For stores where asking about a name is cheap and asking about every blob is not, and which never lose a blob
    /// that a manifest names.
    async fn is_published(&self, name: &Name, descriptor: &Descriptor) -> Result<bool, Error> {
        let _ = (name, descriptor);
        Ok(false)
    }
}
