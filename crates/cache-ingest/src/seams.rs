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

use crate::{Error, Source};

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

/// Gives blobs.
///
/// The descriptor's digest says which; its media type may pick the endpoint (a registry has one for manifests and one
/// for blobs). Its size and annotations are hints.
///
/// Laws: `info` of a blob that is not there is [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), and no other
/// failure is: who cannot tell, says so by another kind. `open` may serve wrong bytes without noticing; whoever reads
/// must verify. Opening at an offset gives the bytes from there on; at the blob's size it gives an empty stream.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The blob's size, or that it is not there.
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error>;

    /// The blob's bytes from `offset` (in bytes) on.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error>;

    /// The blob as an open file, where it is one, so that a copy can clone it. `None` is always a right answer.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
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

/// Names a manifest, which makes a cache visible.
///
/// Laws: everything that the manifest names is stored before it is published; a reader sees the old or the new one,
/// never a mixture; when `expect` is not met nothing changes and the error is
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
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
}

/// What a name has to stand for before it is published anew: a compare-and-swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    #[default]
    Any,
    /// Nothing: the name must be free.
    Absent,
    /// The manifest with this digest.
    Digest(cache_model::Digest),
}

/// A name of a manifest within one store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Name {
    /// No name was given: the store's default. In an OCI layout `latest`, else the only entry.
    #[default]
    Unspecified,
    /// A tag (or, in an OCI layout, a full image name).
    Tag(String),
    /// The manifest with this digest, whether or not a tag has it.
    Digest(cache_model::Digest),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unspecified => f.write_str("the default tag"),
            Self::Tag(tag) => write!(f, "tag {tag:?}"),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

/// Told what happens while it happens. `()` hears nothing.
///
/// Called from any thread, often; it must not block.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event<'_>);
}

impl Progress for () {
    fn event(&self, _: &Event<'_>) {}
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// So much is about to be done. May come again when more becomes known; the numbers add up.
    Planned {
        /// How many blobs.
        blobs: u64,
        /// How many bytes they have together.
        bytes: u64,
    },
    /// Work on a blob began.
    Started {
        /// What it is.
        step: Step,
        /// Which blob.
        descriptor: &'a Descriptor,
    },
    /// Bytes of a blob went from source to destination.
    Transferred {
        /// Which blob.
        descriptor: &'a Descriptor,
        /// How many bytes since the last such event of this blob.
        bytes: u64,
    },
    /// A blob is being tried again, from its first byte as far as `Transferred` counts.
    Retrying {
        /// Which blob.
        descriptor: &'a Descriptor,
        /// The number of the coming attempt; the first retry is 2.
        attempt: u32,
        /// Why.
        error: &'a Error,
    },
    /// A blob is there.
    Finished {
        /// What it is.
        step: Step,
        /// Which blob.
        descriptor: &'a Descriptor,
        /// How it got there.
        stored: Stored,
    },
    /// Something that the user should know, in one line.
    Warning {
        /// The line.
        message: &'a str,
    },
}

/// A step of an export, named as BuildKit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A layer's blob.
    Layer,
    /// The cache config.
    Config,
    /// The manifest, in the form of an index.
    Manifest,
    /// The manifest, in the form of an image manifest.
    ImageManifest,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Layer => "writing layer",
            Self::Config => "writing config",
            Self::Manifest => "writing cache manifest",
            Self::ImageManifest => "writing cache image manifest",
        })
    }
}
