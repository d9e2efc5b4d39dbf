//! The laws, each a function that is named by what it says.
//!
//! A law that stores or names something wants a fresh store. None knows what kind of store it has before it.

mod breaking;
mod checks;
mod naming;
mod putting;
mod racing;
mod reading;

pub use breaking::*;
pub use naming::*;
pub use putting::*;
pub use racing::*;
pub use reading::*;
