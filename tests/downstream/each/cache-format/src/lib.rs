//! Depends on cache-format and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-format/README.md")]
