//! Random numbers for names and waits, from the seed that the standard library keeps for its hash maps.
//!
//! Distinct and hard to guess; never meant for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// A random number.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random part of a time.
pub(crate) fn random_part(time: Duration) -> Duration {
    time / 1000 * u32::try_from(random() % 1000).unwrap_or(0)
}
