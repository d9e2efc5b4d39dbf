//! Depends on cache-hash and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-hash/README.md")]
