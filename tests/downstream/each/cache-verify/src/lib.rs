//! Depends on cache-verify and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-verify/README.md")]
