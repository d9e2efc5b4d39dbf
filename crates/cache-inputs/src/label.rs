//! Labels: what explains a cache, kept beside it, so that neither the record of its build nor its layers are needed later.
//!
//! A label is text, a JSON value in each line: builds without their values, names of records, and the files of folders and layers with
//! their digests. It is the only layer of an OCI artifact whose `subject` is the manifest of the cache.

mod artifact;
mod build_text;
mod document;
mod files;
mod op_text;

pub use artifact::{find_labels, publish_label};
pub use document::{Label, LabelError};
