//! Depends on cache-target and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-target/README.md")]
