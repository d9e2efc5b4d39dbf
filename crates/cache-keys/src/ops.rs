//! The operations of a build as data, and the keys that a builder derives from them.
//!
//! A builder computes a *cache map* for each operation: a digest of its own definition, and for each input a selector
//! and perhaps the rule by which the input's content counts (BuildKit: `solver/llbsolver/ops`, `CacheMap`). Nothing here reads
//! a build record or a file.

mod definition;
mod dep;
mod exec;
mod exec_deps;
mod file;
mod file_deps;
mod hashed;
mod merge;
mod platform;
mod source;
mod step;
mod step_key;

pub use definition::{Definition, DefinitionError, StepInput};
pub use dep::Dep;
pub use exec::{
    CacheMount, CacheSharing, CdiDevice, ContentCache, ExecMeta, ExecOp, FileSecret, Mount, MountKind,
    SecretEnv, Ulimit,
};
pub use file::{
    CopyAction, FileAction, FileActionKind, FileOp, MkdirAction, MkfileAction, Owner, OwnerPart, RmAction,
};
pub use merge::{DiffOp, MergeOp};
pub use platform::normalized;
pub use source::{GitSource, HttpFacts, HttpSource, ImageSource, SourceKind, SourceOp};
pub use step::{Op, Step, StepOutput};
pub use step_key::{NoKey, StepKey};
