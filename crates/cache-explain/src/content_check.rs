//! Whether a layer holds the content that its key names.

mod check;

pub use check::{ContentCheck, ContentFlaw, ContentVerdict, FlawKind};
