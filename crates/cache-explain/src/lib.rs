//! What the records of a BuildKit remote cache stand for, and why a build step missed it.
//!
//! It names records, matches a build with a cache, predicts hits, finds the causes of misses, and checks whether a layer holds
//! the content that its key names. It is pure: builds and trees are handed to it, and it knows nothing of files,
//! networks, formats or async.

mod build;
mod build_inputs;
mod build_keys;
mod cache;
mod content_check;
mod contents;
mod dictionary;
mod dockerfile;
mod explanation;
mod file_change;
mod input_contents;
mod instructions;
mod made_tree;
mod match_build;
mod matching;
mod name_records;
mod needs;
mod placing;
mod slots;
mod source_keys;
mod work;

pub use build::{Build, Location, ResolvedDependency, SourceText};
pub use build_inputs::BuildInputs;
pub use cache::Cache;
pub use content_check::{ContentCheck, ContentFlaw, ContentVerdict, FlawKind};
pub use dictionary::{Dictionary, Meaning, Name, NameSource, SourceIdentity};
pub use explanation::{
    Cause, CauseKind, Change, ExplainedStep, Explanation, FilesUnknown, IgnoreChange, Note, NoteKind,
    StepOutcome, StepPlace,
};
pub use file_change::{FileChange, FileChangeKind, FileFacts, FileType};
pub use instructions::Instructions;
pub use match_build::match_build;
pub use matching::{
    InputContent, MatchState, MatchedOutput, MatchedSlot, MatchedStep, Matching, ReachedRecord, SlotState,
    UnknownReason,
};
pub use name_records::name_records;
