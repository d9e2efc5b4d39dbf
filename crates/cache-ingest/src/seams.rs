//! The seams: what a place that holds caches can do, one small trait for each ability.
//!
//! A store implements those that it has. Nothing here touches a file or a network, and nothing knows what a cache
//! config is.

use std::fs::File;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;
use futures_core::Stream;

use crate::{Error, Expect, Name, Source};

/// The bytes of a blob, in chunks. Unverified until something has hashed them: see [`Source`].
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// What a store says of a blob without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The size of the blob in bytes, as the store has it.
    pub size: u64,
}

impl Info {
    /// The information that a blob has this size.
    pub fn new(size: u64) -> Self {
        Self { size }
    }
}

/// Where a blob lies, told to a destination that may mount it rather than receive its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The service, as in `registry.example.com:5000`.
    pub service: String,
    /// The place within it, as in `team/app`.
    pub repository: String,
}

/// Gives blobs.
///
/// The descriptor's digest says which; its media type may pick the endpoint (a registry has one for manifests and one
/// for blobs). Its size and annotations are hints.
///
/// Laws: `info` of a blob that is not there is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), and no other
/// failure is: who cannot tell, says so by another kind. `open` may serve wrong bytes without noticing; whoever reads
/// must verify. Opening at an offset gives the bytes from there on; at the blob's size it gives an empty stream,
/// beyond it is an error.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The blob's size, or that it is not there.
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error>;

    /// The blob's bytes from `offset` (in bytes) on.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error>;

    /// The blob as an open file, where it is one, so that a copy can clone it. `None` is always a right answer.
    ///
    /// The file is opened anew, is positioned at its start, and holds the blob from its first to its last byte. What
    /// is in a file stays as it is: when its content is wrong, the blob is not tried again.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        let _ = descriptor;
        None
    }

    /// Where the blob lies, where another store may be able to take it from without its bytes being sent.
    ///
    /// A hint: the blob may turn out not to be there. `None` is always a right answer.
    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        let _ = descriptor;
        None
    }
}

/// Takes blobs.
///
/// Laws: putting is idempotent, and a blob that is there already is a success ([`Stored::AlreadyPresent`]). A blob
/// becomes visible whole and verified, or not at all: after an error, or when the future is dropped, nothing of it is
/// visible. Two puts of one blob at the same time both succeed.
#[async_trait]
pub trait Ingester: Send + Sync {
    /// Stores the blob that `source` gives.
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error>;
}

/// How a blob came to be in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stored {
    /// Its bytes were written.
    Stored,
    /// It was there already.
    AlreadyPresent,
    /// The store took it from another place of its own, without the bytes being sent.
    Mounted,
}

/// Finds what a name stands for.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The descriptor of the manifest or index that `name` names.
    ///
    /// A name that stands for nothing is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    async fn resolve(&self, name: &Name) -> Result<Descriptor, Error>;
}

/// A manifest of a list, as far as the store knows it without being asked about each.
#[derive(Debug)]
pub struct Listed {
    /// Its name; `None` of one that nothing names, which cannot be asked for.
    pub name: Option<Name>,
    /// What the name stands for, or why that makes no sense; `None` where only [`Resolver::resolve`] tells.
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
