//! Conveniences on every provider.
//!
//! Nothing here can be overridden; everything here is done by the provider's own methods.

use bytes::Bytes;
use cache_model::Descriptor;

use crate::{Error, Job, Provider, Source};

/// Conveniences on every [`Provider`], also on a `dyn Provider`.
pub trait ProviderExt: Provider {
    /// The whole blob, verified.
    ///
    /// For manifests and configs.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge), before anything is read, when the descriptor's size is above
    /// [`Job::max_metadata`]; else those of [`SourceReader::next_chunk`](crate::SourceReader::next_chunk).
    fn read(&self, descriptor: &Descriptor, job: &Job) -> impl Future<Output = Result<Bytes, Error>> + Send;
}

impl<P: Provider + ?Sized> ProviderExt for P {
    async fn read(&self, descriptor: &Descriptor, job: &Job) -> Result<Bytes, Error> {
        // A reference to a provider is a provider, and has a size where `Self` may have none.
        Source::new(&self, descriptor.clone(), job).read(job.max_metadata).await
    }
}
