//! Reading blobs: the trait [`Provider`] and its types.
//!
//! Nothing here verifies a byte: that is the part of [`Source`](crate::Source).

use std::fs::File;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;
use futures_core::Stream;

use crate::Error;

/// The bytes of a blob, in chunks. Unverified until something has hashed them: see [`Source`](crate::Source).
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// What a store knows of a blob without reading it.
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

/// Where a blob lies, for a destination that may mount it rather than receive its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Origin {
    /// The service, as in `registry.example.com:5000`.
    pub service: String,
    /// The place within it, as in `team/app`.
    pub repository: String,
}

impl Origin {
    /// A place within a service.
    pub fn new(service: impl Into<String>, repository: impl Into<String>) -> Self {
        Self { service: service.into(), repository: repository.into() }
    }
}

/// Gives blobs.
///
/// The descriptor's digest says which; its media type may pick the endpoint (a registry has one for manifests and one
/// for blobs). Its size and annotations are hints.
///
/// Duties, each a law of `cache-conformance`:
/// - `info` and `open` of an absent blob are [`ErrorKind::NotFound`](crate::ErrorKind::NotFound). No other failure is: a
///   provider that does not know whether it has the blob gives another kind.
/// - `info` gives the size that the store has, and reads nothing. The size of the descriptor is a hint.
/// - `open` at an offset gives the bytes from there on; at the blob's size an empty stream; beyond it an error.
/// - Any number of readers may read one blob at once, and do not disturb each other.
/// - A file, where there is one, is positioned at its start and holds exactly the blob.
///
/// `open` need not verify: its callers do.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The blob's size; [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the store does not have it.
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error>;

    /// The blob's bytes from `offset` (in bytes) on.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error>;

    /// The blob as an open file, if it is one, so that a copy can clone it. `None` is always a right answer.
    ///
    /// The file is opened anew, is positioned at its start, and holds the blob from its first to its last byte. A copy does
    /// not retry a file with wrong content: reading it again would give the same.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        let _ = descriptor;
        None
    }

    /// Where the blob lies, so that another store of the same service can take it without its bytes being sent.
    ///
    /// A hint: the blob may turn out to be absent. `None` is always a right answer.
    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        let _ = descriptor;
        None
    }

    /// Gives another copy of the blob from now on, since the last one that it gave has other content. False if it has no
    /// other place to look for one; then nothing changes.
    fn pass_over(&self, descriptor: &Descriptor) -> bool {
        let _ = descriptor;
        false
    }
}
