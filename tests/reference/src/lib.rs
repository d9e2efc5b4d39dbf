//! The rules for adding, closing and marshalling records, slow and simple: maps and sets, and nothing is cached.
//!
//! The reference is written from the description of BuildKit's behaviour and shares no code with the model, so that laws
//! and fuzz targets can compare the two.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a reference that breaks down fails the test that uses it"
)]

mod add;
mod closed;
mod marshal;
mod record;
mod reference;

pub use add::{Add, Layer, Link, Outcome};
pub use marshal::{Exported, leave_out, marshal};
pub use record::{Details, Record, Records};
pub use reference::{Reference, Refused};
