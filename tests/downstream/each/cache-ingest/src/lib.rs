//! Depends on cache-ingest and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-ingest/README.md")]
