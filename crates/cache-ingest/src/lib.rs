//! Placeholder.
mod error;
mod seams;
pub use error::{Error, ErrorKind, Side};
pub use seams::*;
/// Placeholder.
pub struct Source<'a>(std::marker::PhantomData<&'a ()>);
