//! Depends on cache-model and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-model/README.md")]
