//! How the answer of `bkcache why` is shown: as text, as JSON, and as SARIF for code review.
//!
//! The answer itself is data of `cache-explain`. Nothing is read or computed here.

mod caches;
mod json;
mod sarif;
mod shown;
mod source_files;
mod text;
mod words;

use cache_explain::{Cause, Explanation};

pub(crate) use caches::CachesReport;
pub(crate) use json::write_json;
pub(crate) use sarif::write_sarif;
pub(crate) use shown::ShownTexts;
pub(crate) use source_files::SourceFiles;
pub(crate) use text::write_lines;

/// An answer, and what its reader should know of the question.
pub(crate) struct WhyReport<'a> {
    pub(crate) explanation: &'a Explanation,
    /// Which texts of the builds may be shown.
    pub(crate) shown: ShownTexts,
    pub(crate) compared: Compared,
}

/// What was compared.
pub(crate) struct Compared {
    /// The newer cache, if one was given.
    pub(crate) new: Option<CacheName>,
    /// The older cache.
    pub(crate) was: Option<CacheName>,
    /// What would tell more.
    pub(crate) hints: Vec<String>,
}

/// A cache as a user names it, and the manifest that it was read from.
pub(crate) struct CacheName {
    pub(crate) place: String,
    pub(crate) manifest: String,
}

/// The causes, the most expensive first: by the time that was lost, then by the steps that follow, then by their order.
fn by_cost(explanation: &Explanation) -> Vec<&Cause> {
    let mut causes: Vec<&Cause> = explanation.causes.iter().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse((cause.lost, cause.follow + cause.may_follow)));
    causes
}
