//! Depends on cache-edit and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-edit/README.md")]
