//! What users type to name a cache, and the stores that it stands for.
//!
//! A *target* is an attribute string as buildx takes it (`type=local,dest=/cache,tag=main`) or a bare path
//! (`./cache:main`). [`Attributes`] reads either; [`Targets`] is the open table from `type=` to the stores that a
//! build has: it knows local folders, other crates add theirs as a [`Scheme`].
//!
//! This crate opens stores and hands them over; it copies nothing, and knows nothing of cache configs or of a
//! network.
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
mod local;
mod nearest;
mod scheme;
mod targets;
mod value;

pub use attributes::Attributes;
pub use check::{Attribute, Support};
pub use error::TargetError;
pub use local::LocalScheme;
pub use scheme::{ExportAttributes, Opened, Role, Scheme};
pub use targets::Targets;
pub use value::ValueKind;
