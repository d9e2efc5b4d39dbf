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
//! use cache_model::{CacheChains, Link};
//! use cache_report::Tree;
//!
//! let mut chains = CacheChains::new();
//! let source = chains.add(&"source".into(), &[], &[])?.expect("it is not random");
//! chains.add(&"build".into(), &[&[Link { source, selector: "/src" }]], &[])?;
//! assert_eq!(Tree::of(&chains.graph()?).to_string(), "#1 build\n│ #0 source [/src]\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod inspection;
mod json;
mod layer_list;
mod listing;
mod summary;
mod survey;
pub mod text;
mod tree;

pub use cache::Cache;
pub use inspection::Inspection;
pub use json::JsonView;
pub use listing::{Entry, Row, Table, entries_json};
pub use summary::Summary;
pub use survey::{Content, Survey};
pub use tree::Tree;
