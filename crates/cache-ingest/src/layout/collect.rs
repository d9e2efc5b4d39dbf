//! Collecting garbage in a layout: deleting the blobs that no name leads to, and what interrupted writers have left.
//!
//! `references` reads the digests in a document, `reach` follows them, `stock` lists the files, `withdrawal` takes blobs out of
//! their place and puts them back, `collector` puts these together, `collected` is the outcome as data.

pub(crate) mod collected;
pub(crate) mod collector;
mod reach;
pub(crate) mod references;
mod stock;
mod withdrawal;
