//! Depends on cache-registry and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-registry/README.md")]
