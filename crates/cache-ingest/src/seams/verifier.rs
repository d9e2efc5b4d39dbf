//! Checks a blob's bytes against its descriptor while they pass by.
//!
//! Tells too short, too long and different apart, and stops at the first byte too many. It never keeps the bytes.

use cache_model::{Descriptor, Digest, count, grouped};

use crate::{Error, ErrorKind, Hasher, Side};

/// How a blob's bytes do not fit its descriptor: the cause of an [`Error`], as [`Error::cause_as`] finds it. The text of the
/// error has its text, so [`source`](std::error::Error::source) passes over it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The bytes ended early.
    #[error("the blob is too short: it ended after {} of {}", grouped(*.received), count(*.expected, "byte"))]
    TooShort {
        /// How many bytes there were.
        received: u64,
        /// The descriptor's size in bytes.
        expected: u64,
    },
    /// There are more bytes than the descriptor says.
    #[error("the blob is too long: it goes on after the {} of its descriptor", count(*.expected, "byte"))]
    TooLong {
        /// The descriptor's size in bytes.
        expected: u64,
    },
    /// The size is right, the content is not.
    #[error("the blob has other content: its digest is {actual}")]
    Different {
        /// The digest of the bytes that came.
        actual: Digest,
    },
}

/// Hashes and counts the bytes of one blob.
///
/// For stores that read a blob by other means than [`Source::reader`](crate::Source::reader), such as a clone of
/// its file. Its errors are [`ErrorKind::Corrupt`], with a [`Mismatch`] that [`Error::cause_as`] finds.
///
/// ```
/// use cache_ingest::{Hasher, Verifier};
/// use cache_model::{Algorithm, Descriptor, MediaType};
/// let digest = Hasher::digest(Algorithm::Sha256, b"layer");
/// let mut verifier = Verifier::new(&Descriptor::new(MediaType::default(), digest, 5));
/// verifier.update(b"lay")?;
/// verifier.update(b"er")?;
/// verifier.finish()?;
/// # Ok::<(), cache_ingest::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    digest: Digest,
    size: u64,
    received: u64,
    hasher: Hasher,
    side: Option<Side>,
}

impl Verifier {
    /// A verifier of the blob that `descriptor` describes.
    pub fn new(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            size: descriptor.size,
            received: 0,
            hasher: Hasher::new(descriptor.digest.algorithm()),
            side: None,
        }
    }

    /// The same verifier, whose errors arise on a side of a copy.
    pub(crate) fn on(mut self, side: Option<Side>) -> Self {
        self.side = side;
        self
    }

    /// Takes the next bytes; an error when there are more than the descriptor says.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.count(bytes.len())?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Counts the next bytes, which have to be hashed before any other: see [`hash_together`](Self::hash_together).
    pub(crate) fn count(&mut self, len: usize) -> Result<(), Error> {
        // A length fits u64 on every platform that Rust has.
        let received = self.received.saturating_add(len as u64);
        if received > self.size {
            return Err(self.error(Mismatch::TooLong { expected: self.size }));
        }
        self.received = received;
        Ok(())
    }

    /// Hashes the bytes that verifiers have counted, of several blobs in little more time than of one.
    pub(crate) fn hash_together(parts: &mut [(&mut Self, &[u8])]) {
        let mut parts: Vec<_> =
            parts.iter_mut().map(|(verifier, bytes)| (&mut verifier.hasher, *bytes)).collect();
        Hasher::update_together(&mut parts);
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes it has taken.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether it has taken as many bytes as the descriptor says.
    pub fn is_full(&self) -> bool {
        self.received == self.size
    }

    /// Whether the bytes taken are the blob.
    pub fn finish(&self) -> Result<(), Error> {
        if self.received < self.size {
            return Err(self.error(Mismatch::TooShort { received: self.received, expected: self.size }));
        }
        let actual = self.hasher.clone().finish();
        if actual == self.digest { Ok(()) } else { Err(self.error(Mismatch::Different { actual })) }
    }

    fn error(&self, mismatch: Mismatch) -> Error {
        self.blame(Error::new(ErrorKind::Corrupt, "verify", self.digest, &mismatch).with_cause(mismatch))
    }

    /// The same error, on this verifier's side of a copy.
    pub(crate) fn blame(&self, error: Error) -> Error {
        match self.side {
            Some(side) => error.on(side),
            None => error,
        }
    }
}
