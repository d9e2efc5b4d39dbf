//! Depends on cache-import and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-import/README.md")]
