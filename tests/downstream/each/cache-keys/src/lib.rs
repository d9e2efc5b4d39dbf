//! Depends on cache-keys and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-keys/README.md")]
