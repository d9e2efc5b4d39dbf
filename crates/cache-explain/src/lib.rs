//! What the records of a BuildKit remote cache stand for, and why a build step missed it.
//!
//! It names records, matches a build with a cache, predicts hits, finds the causes of misses, and checks whether a layer holds
//! the content that its key names. It is pure: builds and trees are handed to it, and it knows nothing of files,
//! networks, formats or async.

mod absent_steps;
mod build;
mod build_inputs;
mod build_keys;
mod cache;
mod causes;
mod changed_files;
mod content_check;
mod content_files;
mod contents;
mod copied_contents;
mod copied_files;
mod copying;
mod definition_change;
mod dictionary;
mod dockerfile;
mod edited_steps;
mod explain;
mod explain_caches;
mod explanation;
mod file_change;
mod following;
mod input_contents;
mod instructions;
mod keyed_build;
mod made_tree;
mod match_build;
mod matching;
mod miss_reason;
mod name_records;
mod needs;
mod not_reproducible;
mod partners;
mod placing;
mod record_partners;
mod slots;
mod source_keys;
mod step_layer;
mod without_values;
mod work;

pub use build::{Build, Location, ResolvedDependency, SourceText};
pub use build_inputs::BuildInputs;
pub use cache::Cache;
pub use changed_files::comparison_header;
pub use content_check::{
    ContentCheck, ContentChecks, ContentFlaw, ContentPlan, ContentVerdict, FlawKind, content_checks,
};
pub use copying::{AddedFile, AddedFiles};
pub use dictionary::{Dictionary, Meaning, Name, NameSource, SourceIdentity};
pub use edited_steps::edited_steps;
pub use explain::{NewSide, OldSide, explain};
pub use explain_caches::{CachesExplanation, RecordCause, RecordCauseKind, explain_caches};
pub use explanation::{
    AbsentSteps, Cause, CauseKind, Change, ExplainedStep, Explanation, FilesUnknown, IgnoreChange, Note,
    NoteKind, StepOutcome, StepPlace,
};
pub use file_change::{FileChange, FileChangeKind, FileFacts, FileType};
pub use instructions::Instructions;
pub use match_build::match_build;
pub use matching::{
    InputContent, MatchState, MatchedOutput, MatchedSlot, MatchedStep, Matching, ReachedRecord, SlotState,
    UnknownReason,
};
pub use name_records::name_records;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
