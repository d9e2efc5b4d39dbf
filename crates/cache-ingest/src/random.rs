//! Random numbers for names and waits, from the seed that the standard library keeps for its hash maps.
//!
//! Distinct and hard to guess; never meant for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A random number.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
