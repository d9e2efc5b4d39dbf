//! An OCI image layout in a folder (OCI image specification, image-layout.md), as BuildKit's local cache has it.
//!
//! `store` implements the seams on the parts: `marker` is the file `oci-layout`, `index` reads and replaces `index.json`,
//! `blobs` reads and writes blobs, `collect` deletes those that no name leads to, `folder` is shared by everything that
//! writes, `durability` makes changes on disk and makes them last, `threads` runs file operations.

mod blobs;
mod collect;
mod durability;
mod files;
mod folder;
mod index;
mod marker;
mod options;
mod store;
mod threads;

pub(crate) use blobs::read::stream_file;
pub use collect::collected::{CollectOptions, Collected, CollectedBlob};
pub use durability::disk::{DiskHook, DiskOperation};
pub use durability::leftovers::Leftover;
pub(crate) use index::document::Index;
pub use index::entry::LayoutEntry;
pub use options::LayoutOptions;
pub use store::LayoutStore;
pub(crate) use threads::blocking::blocking;
