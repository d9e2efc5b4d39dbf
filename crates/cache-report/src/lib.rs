//! What a BuildKit remote cache looks like, as data and as text.
//!
//! An [`Inspection`] counts what one cache holds; [`Summary`], [`Tree`] and [`JsonView`] show it in a few lines, record
//! by record, and as JSON. A [`Survey`] says in one line what a manifest stands for, cache or not; a [`Table`] and
//! [`entries_json`] show many of them. Every view is a [`Display`](std::fmt::Display), and those with columns give
//! their rows too, so that a terminal, a file and a web page show the same.
//!
//! Pure: it looks at what was read already, and never opens, reads or writes anything. Text from a cache is escaped in
//! every view for people, so that it neither breaks a line nor moves a cursor; JSON is exact.
//!
//! ```
//! use cache_format::{CacheOrigin, Form};
//! use cache_model::{CacheChains, Descriptor, Link, MediaType};
//! use cache_report::{Cache, Tree};
//!
//! let mut chains = CacheChains::new();
//! let source = chains.add(&"source".into(), &[], &[])?.expect("it is not random");
//! chains.add(&"build".into(), &[&[Link { source, selector: "/src" }]], &[])?;
//! let config = chains.marshal(&|_| true)?.config;
//!
//! let origin = CacheOrigin::Manifest { form: Form::Manifest, config: Descriptor::of(MediaType::CACHE_CONFIG, "{}") };
//! let cache = Cache::new(&origin, &config, &[]);
//! assert_eq!(Tree::of(&cache).to_string(), "#0 build\n│ #1 source [/src]\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod config_layers;
mod inspection;
mod json;
mod layer_contents;
mod listing;
mod record_names;
mod summary;
mod survey;
pub mod text;
mod tree;

pub use cache::Cache;
pub use inspection::Inspection;
pub use json::JsonView;
pub use layer_contents::{LayerContents, LayerFiles, layers_json, layers_total};
pub use listing::{Entry, Row, Table, entries_json};
pub use record_names::{RecordKind, RecordName, RecordNames};
pub use summary::Summary;
pub use survey::{Content, Survey};
pub use tree::Tree;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
