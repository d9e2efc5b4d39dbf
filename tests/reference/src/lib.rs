//! BuildKit's rules for adding, closing and marshalling records, slow and simple: maps and sets, everything computed
//! anew.
//!
//! The reference is written from the description of what BuildKit does, shares nothing with the model that is compared
//! with it, and spares no cost. Laws and fuzz targets use it alike.
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
