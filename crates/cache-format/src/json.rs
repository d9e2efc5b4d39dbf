//! JSON as Go reads it, on top of `serde_json`; and spread over lines as Go spreads it.
//!
//! Knows the syntax and nothing of any document.

pub(crate) mod indent;
pub(crate) mod read;
mod sanitize;
mod scalar;
