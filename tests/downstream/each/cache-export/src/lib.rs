//! Depends on cache-export and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-export/README.md")]
