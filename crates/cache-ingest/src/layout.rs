//! An OCI image layout in a folder (OCI image specification, image-layout.md), as BuildKit's local cache has it.
//!
//! `store` is the store and its place in the seams. `index` reads and replaces `index.json`, `blobs` reads and writes
//! blobs, `durability` is every change on disk and what makes it last, `threads` runs what may block.

mod blobs;
mod durability;
mod files;
mod index;
mod options;
mod store;
mod threads;

pub(crate) use blobs::read::stream_file;
pub use durability::disk::{DiskHook, DiskOperation};
pub use index::entry::LayoutEntry;
pub use options::LayoutOptions;
pub use store::LayoutStore;
pub(crate) use threads::blocking::blocking;
