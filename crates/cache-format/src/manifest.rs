//! Manifests, indexes and descriptors of the OCI image specification, and Docker's spelling of them.
//!
//! Knows nothing of caches: which of these documents are a cache is `forms`' part.

pub(crate) mod decode;
pub(crate) mod descriptor;
pub(crate) mod document;
#[cfg(feature = "oci-spec")]
mod oci;
pub(crate) mod queue;

#[cfg(feature = "oci-spec")]
pub use oci::{descriptor_from_oci, descriptor_to_oci};
