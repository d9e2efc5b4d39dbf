//! Depends on cache-report and on what the example of its README names.
#![doc = include_str!("../../../../../crates/cache-report/README.md")]
