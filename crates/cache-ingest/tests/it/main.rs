//! The laws of the seams, the copy and the stores, in one test program.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::cast_possible_truncation)]

mod copying;
mod faults;
mod fixtures;
mod layout_open;
mod layout_publish;
mod layout_put;
mod memory;
mod presence;
mod providers;
mod reading;
