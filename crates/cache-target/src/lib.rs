//! Targets: the texts by which users name a cache, and the stores that they open.
//!
//! A *target* is an attribute string as buildx takes it (`type=local,dest=/cache,tag=main`), a bare path
//! (`./cache:main`), or a bare reference with its host (`registry.example.com/app:main`). [`Attributes`] reads each;
//! [`Targets`] is the table from `type=` to stores. It has local folders; the crates of other stores bring a [`Scheme`]
//! that is registered. [`Reference`] is what a user calls a manifest in a registry.
//!
//! This crate opens stores and hands them over. It copies nothing, knows nothing of cache configs, and has no HTTP stack.
//!
//! ```
//! use cache_target::{Attributes, Role};
//! let attributes = Attributes::parse(r#"type=local,"dest=/cache/a,b",tag=main"#, Role::Destination)?;
//! assert_eq!(attributes.kind(), "local");
//! assert_eq!(attributes.get("dest"), Some("/cache/a,b"));
//! # Ok::<(), cache_target::TargetError>(())
//! ```

mod attribute;
mod attributes;
mod bare;
mod csv;
mod error;
mod export_attributes;
mod host;
mod local;
mod nearest;
mod parse;
mod prefix;
mod reference;
mod role;
mod scheme;
mod targets;
mod value;

pub use attribute::{Attribute, Support};
pub use attributes::Attributes;
pub use error::TargetError;
pub use export_attributes::{ExportAttributes, Mode};
pub use local::LocalScheme;
pub use reference::{Reference, ReferenceError, Repository};
pub use role::Role;
pub use scheme::{Opened, Scheme};
pub use targets::Targets;
pub use value::ValueKind;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
