//! Depends on cache-explain and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-explain/README.md")]
