//! The keys of a BuildKit remote cache.
//!
//! [`CacheKeys`] indexes the keys of a cache and answers a solver: which steps follow from a key, and which results
//! they have.
//!
//! Pure: no I/O, no async. It knows nothing of how a cache is stored.

mod cache_keys;

pub use cache_keys::{BackLink, CacheKeys, KeyId, LinkQuery, Wanted};
