//! The blobs of a layout: read as streams, and written from streams, from small files and from large ones.
//!
//! Nothing here reads or writes the index.

mod large;
pub(crate) mod put;
mod put_file;
mod put_stream;
pub(crate) mod read;
