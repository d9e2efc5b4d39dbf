//! What the key of a step says about one of its inputs.

use cache_model::Digest;

use crate::ContentRule;

/// What the cache map of an operation says about one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dep {
    /// The selector that links to the input's definition carry; without one they carry none.
    pub selector: Option<Digest>,
    /// How the input's content counts; without a rule only its definition does.
    pub content: Option<ContentRule>,
}
