//! What users type to name a cache, and the stores that it stands for.
//!
//! A *target* is an attribute string as buildx takes it (`type=local,dest=/cache,tag=main`), a bare path
//! (`./cache:main`), or a bare reference with its host (`registry.example.com/app:main`). [`Attributes`] reads each;
//! [`Targets`] is the open table from `type=` to the stores that a build has: it knows local folders and registries,
//! other crates add theirs as a [`Scheme`].
//!
//! This crate opens stores and hands them over; it copies nothing, and knows nothing of cache configs.
//!
//! ```
//! use cache_target::{Attributes, Role};
//! let attributes = Attributes::parse(r#"type=local,"dest=/cache/a,b",tag=main"#, Role::Destination)?;
//! assert_eq!(attributes.kind(), "local");
//! assert_eq!(attributes.get("dest"), Some("/cache/a,b"));
//! # Ok::<(), cache_target::TargetError>(())
//! ```

mod attributes;
mod bare;
mod check;
mod csv;
mod error;
mod export_attributes;
mod local;
mod nearest;
mod registry;
mod scheme;
mod targets;
mod value;

pub use attributes::Attributes;
pub use check::{Attribute, Support};
pub use error::TargetError;
pub use export_attributes::ExportAttributes;
pub use local::LocalScheme;
pub use registry::RegistryScheme;
pub use scheme::{Opened, Role, Scheme};
pub use targets::Targets;
pub use value::ValueKind;
