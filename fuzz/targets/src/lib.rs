//! The bodies of the fuzz targets: each takes any bytes and panics if a law is broken.
//!
//! They are plain functions, so that `cargo test` can run them on every file of the corpora. Nothing here depends on a
//! fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "to panic where a law is broken is what a fuzz target is for"
)]

pub mod add_script;
pub mod attributes;
pub mod build_record;
mod check;
pub mod content_checksum;
pub mod decode_config;
pub mod decode_manifest;
pub mod digest_and_reference;
pub mod edit;
pub mod layout_open;
pub mod manifest_builder;
pub mod patterns;
pub mod roundtrip;
mod script;
pub mod tar_tree;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name and that of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Takes any bytes, and panics if a law is broken.
    pub run: fn(&[u8]),
}

/// All fuzz targets.
pub const TARGETS: &[Target] = &[
    Target { name: "add_script", run: add_script::run },
    Target { name: "attributes", run: attributes::run },
    Target { name: "build_record", run: build_record::run },
    Target { name: "content_checksum", run: content_checksum::run },
    Target { name: "decode_config", run: decode_config::run },
    Target { name: "decode_manifest", run: decode_manifest::run },
    Target { name: "digest_and_reference", run: digest_and_reference::run },
    Target { name: "edit", run: edit::run },
    Target { name: "layout_open", run: layout_open::run },
    Target { name: "manifest_builder", run: manifest_builder::run },
    Target { name: "patterns", run: patterns::run },
    Target { name: "roundtrip", run: roundtrip::run },
    Target { name: "tar_tree", run: tar_tree::run },
];
