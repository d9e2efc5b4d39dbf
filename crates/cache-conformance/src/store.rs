//! The store under test: its traits, its further abilities, and how to get a fresh one.
//!
//! Every law gets a store of its own, so that laws do not affect each other.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{Error, Ingester, Lister, Provider, Publisher, Referrers, Remover, Resolver};

/// Makes the stores to test. Implemented by functions and closures that give a future of a store.
#[async_trait]
pub trait Factory: Send + Sync {
    /// An empty store, which shares nothing with earlier stores.
    async fn fresh(&self) -> Result<Store, Error>;
}

#[async_trait]
impl<F, T> Factory for F
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = Result<Store, Error>> + Send,
{
    async fn fresh(&self) -> Result<Store, Error> {
        self().await
    }
}

/// A store as the traits that it has. Laws about a missing trait are left out.
///
/// The traits may be different objects: a read-only provider is tested with an ingester into the store behind it.
#[derive(Clone, Default)]
pub struct Store {
    /// Gives the blobs that the ingester takes.
    pub provider: Option<Arc<dyn Provider>>,
    /// Takes blobs.
    pub ingester: Option<Arc<dyn Ingester>>,
    /// Finds the manifests that the publisher names.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Names manifests.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// Lists the manifests that the publisher named.
    pub lister: Option<Arc<dyn Lister>>,
    /// Takes names away.
    pub remover: Option<Arc<dyn Remover>>,
    /// Keeps manifests that refer to those that the publisher named.
    pub referrers: Option<Arc<dyn Referrers>>,
    /// A provider of the same kind that cannot tell what it has, as when its network is down.
    pub unreachable: Option<Arc<dyn Provider>>,
    /// Whether blobs may have sha512 digests; false by default.
    pub sha512: bool,
}

impl Store {
    /// A store that has all traits but [`Lister`], [`Remover`] and [`Referrers`], which [`with_lister`](Self::with_lister),
    /// [`with_remover`](Self::with_remover) and [`with_referrers`](Self::with_referrers) add.
    pub fn complete<S>(store: S) -> Self
    where
        S: Provider + Ingester + Resolver + Publisher + 'static,
    {
        let store = Arc::new(store);
        Self {
            provider: Some(store.clone()),
            ingester: Some(store.clone()),
            resolver: Some(store.clone()),
            publisher: Some(store),
            ..Self::default()
        }
    }

    /// The same store, marked as supporting sha512 digests.
    #[must_use]
    pub fn with_sha512(mut self) -> Self {
        self.sha512 = true;
        self
    }

    /// The same store, with a lister of its manifests.
    #[must_use]
    pub fn with_lister(mut self, lister: impl Lister + 'static) -> Self {
        self.lister = Some(Arc::new(lister));
        self
    }

    /// The same store, with the removal of names.
    #[must_use]
    pub fn with_remover(mut self, remover: impl Remover + 'static) -> Self {
        self.remover = Some(Arc::new(remover));
        self
    }

    /// The same store, with the manifests that refer to others.
    #[must_use]
    pub fn with_referrers(mut self, referrers: impl Referrers + 'static) -> Self {
        self.referrers = Some(Arc::new(referrers));
        self
    }

    /// The same store, with a provider of its kind that cannot tell what it has.
    #[must_use]
    pub fn with_unreachable(mut self, provider: impl Provider + 'static) -> Self {
        self.unreachable = Some(Arc::new(provider));
        self
    }

    pub(crate) fn sha512(&self) -> bool {
        self.sha512
    }

    /// Whether the publisher says that it compares and swaps in one step.
    pub(crate) fn atomic(&self) -> bool {
        self.publisher.as_ref().is_some_and(|publisher| publisher.is_atomic())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("provider", &self.provider.is_some())
            .field("ingester", &self.ingester.is_some())
            .field("resolver", &self.resolver.is_some())
            .field("publisher", &self.publisher.is_some())
            .field("lister", &self.lister.is_some())
            .field("remover", &self.remover.is_some())
            .field("referrers", &self.referrers.is_some())
            .field("unreachable", &self.unreachable.is_some())
            .field("sha512", &self.sha512)
            .field("atomic", &self.atomic())
            .finish()
    }
}
