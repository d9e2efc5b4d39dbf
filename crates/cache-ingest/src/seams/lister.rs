//! Listing manifests: the trait [`Lister`] and its answer.

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{Error, Name};

/// Lists the manifests of a store.
///
/// Duties, each a law of `cache-conformance`:
/// - Every tag is listed once, however often it was published. The order is the store's.
/// - A descriptor in the list is the one that its name resolves to.
///
/// A manifest without a tag is listed by its digest if the store knows of it, and without a name if no name leads to it.
#[async_trait]
pub trait Lister: Send + Sync {
    /// All manifests, each with its descriptor where listing reveals it.
    async fn list(&self) -> Result<Vec<Listed>, Error>;
}

/// A manifest in the list of a store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name; `None` where no name leads to it.
    pub name: Option<Name>,
    /// Its descriptor, or why the store cannot make one of its entry; `None` where only
    /// [`Resolver::resolve`](crate::Resolver::resolve) gives it.
    pub descriptor: Option<Result<Descriptor, Error>>,
}

impl Listed {
    /// A name, of which listing reveals nothing else.
    pub fn named(name: Name) -> Self {
        Self { name: Some(name), descriptor: None }
    }

    /// An entry that listing reveals.
    pub fn new(name: Option<Name>, descriptor: Result<Descriptor, Error>) -> Self {
        Self { name, descriptor: Some(descriptor) }
    }
}
