//! The hash functions of digests.
//!
//! It knows bytes only. Comparing with the expected digest is the [`Verifier`](crate::Verifier)'s part.

use cache_hash::{Sha256, update_together};
use cache_model::{Algorithm, Digest};
use sha2::{Digest as _, Sha512};

/// Hashes bytes to a [`Digest`].
///
/// ```
/// use cache_ingest::Hasher;
/// use cache_model::Algorithm;
/// let mut hasher = Hasher::new(Algorithm::Sha256);
/// hasher.update(b"two ");
/// hasher.update(b"parts");
/// assert_eq!(hasher.finish(), Hasher::digest(Algorithm::Sha256, b"two parts"));
/// ```
#[derive(Clone, Debug)]
pub struct Hasher(HasherState);

#[derive(Clone, Debug)]
enum HasherState {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// A hasher that has seen no bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => HasherState::Sha256(Sha256::new()),
            Algorithm::Sha512 => HasherState::Sha512(Box::new(Sha512::new())),
        })
    }

    /// The digest of some bytes.
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            HasherState::Sha256(state) => state.update(bytes),
            HasherState::Sha512(state) => state.update(bytes),
        }
    }

    /// Gives each hasher its next bytes: the same as one [`update`](Self::update) after the other, and for SHA-256 nearly
    /// twice as fast where the processor has instructions for it.
    pub fn update_together(parts: &mut [(&mut Self, &[u8])]) {
        let mut together = Vec::with_capacity(parts.len());
        for (hasher, bytes) in parts {
            match &mut hasher.0 {
                HasherState::Sha256(state) => together.push((state, *bytes)),
                HasherState::Sha512(state) => state.update(bytes),
            }
        }
        update_together(&mut together);
    }

    /// The digest of all the bytes taken.
    pub fn finish(self) -> Digest {
        match self.0 {
            HasherState::Sha256(state) => Digest::sha256(state.finish()),
            HasherState::Sha512(state) => Digest::sha512(state.finalize().into()),
        }
    }
}
