//! Merges and differences of file systems.

use crate::ops::hashed::{Object, Value};

/// Lays its inputs on one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeOp {
    /// The positions of the inputs, lowest first.
    pub inputs: Vec<usize>,
}

/// Takes what `upper` adds to `lower`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffOp {
    /// The position of the lower input; `None` for an empty file system.
    pub lower: Option<usize>,
    /// The position of the upper input; `None` for an empty file system.
    pub upper: Option<usize>,
}

impl MergeOp {
    pub(crate) fn hashed(&self) -> Value {
        let inputs = self.inputs.iter().map(|input| side(Some(*input)));
        let merge = Object::default().with_set("inputs", Value::list(inputs));
        Object::default().with("Type", "buildkit.merge.v0").with("Merge", merge).into()
    }
}

impl DiffOp {
    pub(crate) fn hashed(&self) -> Value {
        let diff = Object::default().with("lower", side(self.lower)).with("upper", side(self.upper));
        Object::default().with("Type", "buildkit.diff.v0").with("Diff", diff).into()
    }
}

fn side(input: Option<usize>) -> Object {
    Object::default().with_set("input", Value::index(input))
}
