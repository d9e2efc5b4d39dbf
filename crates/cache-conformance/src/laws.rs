//! The laws. The name of each function is the sentence that it checks.
//!
//! A law that stores or names something needs a fresh store. No law knows the kind of store that it checks.

mod breaking;
mod checks;
mod naming;
mod putting;
mod racing;
mod reading;
mod referring;
mod removing;

pub use breaking::*;
pub use naming::*;
pub use putting::*;
pub use racing::*;
pub use reading::*;
pub use referring::*;
pub use removing::*;
