//! The blobs of a layout: read as streams, and written as streams, from small files and from large ones.
//!
//! Nothing here reads or writes the index.

pub(crate) mod large;
mod put_file;
pub(crate) mod read;
mod write;
