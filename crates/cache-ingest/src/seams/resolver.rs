//! What finds manifests by their names: the trait [`Resolver`].

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{Error, Name};

/// Finds what a name stands for.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The descriptor of the manifest or index that `name` names.
    ///
    /// A name that stands for nothing is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error>;
}
