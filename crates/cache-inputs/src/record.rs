//! Build records, in the forms in which users have them.
//!
//! A record is what BuildKit's provenance in mode `max` holds of a build (SLSA provenance; BuildKit:
//! `docs/attestations/slsa-definitions.md`). Everything that is read comes from outside.

mod attached;
mod build_config;
mod dockerbuild;
mod document;
mod error;
mod exec;
mod file;
mod json;
mod members;
mod op;
mod predicate;
mod predicate_type;
mod response;
mod sniff;

pub use attached::attached_builds;
pub use error::RecordError;
pub(crate) use json::build_of_provenance;
pub use sniff::read_builds;
