//! Depends on cache-conformance and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-conformance/README.md")]
