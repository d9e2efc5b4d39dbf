//! What lists the manifests of a store: the trait [`Lister`].

use async_trait::async_trait;
use cache_model::Descriptor;

use crate::{Error, Name};

/// A manifest of a list, as far as the store knows it without being asked about each.
#[derive(Debug)]
pub struct Listed {
    /// Its name; `None` of one that nothing names, which cannot be asked for.
    pub name: Option<Name>,
    /// What the name stands for, or why that makes no sense; `None` where only [`Resolver::resolve`](crate::Resolver::resolve) tells.
    pub descriptor: Option<Result<Descriptor, Error>>,
}

/// Tells the names that there are.
#[async_trait]
pub trait Lister: Send + Sync {
    /// The names of the store's manifests, each once, in the store's order. A manifest with a tag is named by it; one
    /// that the store names without any, by its digest.
    async fn names(&self) -> Result<Vec<Name>, Error>;

    /// The same, with what each stands for where the store knows that from listing them, and with what it has without a
    /// name that makes sense.
    ///
    /// For stores where to list and to resolve is the same work: who wants all of them then asks once. The names alone
    /// are always a right answer. Law: a descriptor is the one that its name resolves to.
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        let names = self.names().await?;
        Ok(names.into_iter().map(|name| Listed { name: Some(name), descriptor: None }).collect())
    }
}
