//! Depends on cache-inputs and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-inputs/README.md")]
