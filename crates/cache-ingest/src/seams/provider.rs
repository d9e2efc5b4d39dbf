//! What gives blobs: the trait [`Provider`] and what it speaks of.
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
