//! Finding manifests by name: the trait [`Resolver`] and its answer.

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;

use crate::{Error, Job, Name, Provider, Source};

/// Finds the manifests that names stand for.
///
/// Duties, each a law of `cache-conformance`:
/// - A name that stands for nothing is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound): a tag, a digest, or no name in an
///   empty store.
/// - A published manifest resolves by its name and by its digest, to its digest, size and media type.
/// - [`resolve_descriptor`](Self::resolve_descriptor) gives the digest, size and media type that [`resolve`](Self::resolve)
///   gives, and is `NotFound` where that is.
/// - Bytes in the answer are the whole manifest of the descriptor. The store need not verify them.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The manifest or index that `name` stands for.
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error>;

    /// The descriptor of that manifest alone. A store overrides this where a descriptor is cheaper than the manifest, as
    /// in a registry that counts the manifests that it gives.
    async fn resolve_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
        self.resolve(name).await.map(|resolved| resolved.descriptor)
    }
}

/// The manifest or index that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// Its bytes, if the store has them at hand after finding it. `None` is always a right answer. They may not be verified
    /// yet: [`read`](Self::read) does that.
    pub bytes: Option<Bytes>,
}

impl Resolved {
    /// A manifest that is known by its descriptor alone.
    pub fn new(descriptor: Descriptor) -> Self {
        Self { descriptor, bytes: None }
    }

    /// The same, with the bytes of the manifest.
    #[must_use]
    pub fn with_bytes(self, bytes: Bytes) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// The manifest as a source to read: from its bytes where they are here, else from a provider.
    pub fn source<'a>(&self, provider: &'a dyn Provider, job: &Job) -> Source<'a> {
        match &self.bytes {
            Some(bytes) => Source::from_bytes(self.descriptor.clone(), bytes.clone()).with_job(job),
            None => Source::new(provider, self.descriptor.clone(), job),
        }
    }

    /// The bytes of the manifest, verified: these if there are any, else those of a provider.
    ///
    /// # Errors
    /// Those of [`ProviderExt::read`](crate::ProviderExt::read).
    pub async fn read(&self, provider: &dyn Provider, job: &Job) -> Result<Bytes, Error> {
        self.source(provider, job).read(job.max_metadata).await
    }
}

impl From<Descriptor> for Resolved {
    fn from(descriptor: Descriptor) -> Self {
        Self::new(descriptor)
    }
}
