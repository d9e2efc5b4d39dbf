//! Conveniences on every provider.
//!
//! Nothing here can be overridden, and nothing here does what a provider's own methods could not.

use bytes::Bytes;
use cache_model::Descriptor;

use crate::{Error, Provider, Source};

/// What can be asked of every [`Provider`], and of a `dyn Provider` too.
pub trait ProviderExt: Provider {
    /// The whole blob, verified.
    ///
    /// For manifests and configs. Refused as [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) before anything is
    /// read when the descriptor says that it has more than `limit` bytes; other errors are those of
    /// [`SourceReader::next_chunk`](crate::SourceReader::next_chunk).
    fn read(&self, descriptor: &Descriptor, limit: u64) -> impl Future<Output = Result<Bytes, Error>> + Send;
}

impl<P: Provider + ?Sized> ProviderExt for P {
    async fn read(&self, descriptor: &Descriptor, limit: u64) -> Result<Bytes, Error> {
        // A reference to a provider is a provider, and has a size where `Self` may have none.
        Source::new(&self, descriptor.clone()).read(limit).await
    }
}
