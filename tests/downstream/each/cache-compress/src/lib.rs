//! Depends on cache-compress and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-compress/README.md")]
