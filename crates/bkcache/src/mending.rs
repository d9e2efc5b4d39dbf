//! The commands that mend what `verify` and `doctor` find, as a user pastes them into a shell.
//!
//! Nothing is run here.

use cache_verify::{Finding, FindingKind, Report};

use crate::cli::SourceArgs;
use crate::open::replaceable;
use crate::shell::quoted;

/// The command that drops the results that need a missing or damaged blob; `None` if there is no such blob, or if no cache can be
/// made of the rest.
pub(crate) fn repair(report: &Report, source: &SourceArgs) -> Option<String> {
    if !can_be_repaired(report) {
        return None;
    }
    // Without --read, only what a store says of its blobs counts.
    let is_found_by_reading =
        |finding: &Finding| is_about_a_blob(finding) && finding.kind != FindingKind::MissingBlob;
    let reads = report.findings.iter().any(is_found_by_reading);
    Some(edit(&["repair"], reads.then_some("--read"), report.form.is_some(), source))
}

/// The command that drops results until BuildKit reads the config.
pub(crate) fn prune_to_fit(report: &Report, source: &SourceArgs) -> String {
    edit(&["prune", "--fit", "buildkit"], None, report.form.is_some(), source)
}

/// The command that writes the cache in another form.
pub(crate) fn copy_as(form: &str, source: &SourceArgs) -> String {
    command(&["copy", "--form", form], source, Some("DST"))
}

/// The command that writes the list of layers anew, without what no result needs and without results that lack a layer.
pub(crate) fn copy_canonically(source: &SourceArgs) -> String {
    command(&["copy", "--canonical"], source, Some("DST"))
}

/// The command that unites the records that mean the same.
pub(crate) fn merge(source: &SourceArgs) -> String {
    command(&["merge"], source, Some("DST"))
}

/// A command that edits the cache: under its tag if it has one of its own, else in a copy.
fn edit(words: &[&str], option: Option<&str>, has_own_tag: bool, source: &SourceArgs) -> String {
    let in_place = has_own_tag && replaceable(&source.source).is_ok();
    let mut words = words.to_vec();
    words.extend(in_place.then_some("--in-place"));
    words.extend(option);
    command(&words, source, (!in_place).then_some("DST"))
}

fn command(words: &[&str], source: &SourceArgs, destination: Option<&str>) -> String {
    let options = source.registry.words();
    let options = options.iter().map(String::as_str);
    let words = words.iter().copied().chain(options).chain([source.source.as_str()]).chain(destination);
    let words: Vec<String> = ["bkcache"].into_iter().chain(words).map(quoted).collect();
    words.join(" ")
}

/// Whether a cache can be made of what is left: only blobs of layers are missing or damaged, and the records can be read.
fn can_be_repaired(report: &Report) -> bool {
    use FindingKind::{ConfigUnreadable, GraphTangled, GraphUnsound};
    let is_unreadable = |finding: &Finding| {
        matches!(finding.kind, GraphUnsound { .. } | GraphTangled { .. } | ConfigUnreadable { .. })
    };
    report.findings.iter().any(is_about_a_blob) && !report.findings.iter().any(is_unreadable)
}

/// Whether a layer's blob is missing or damaged.
fn is_about_a_blob(finding: &Finding) -> bool {
    use FindingKind::{LongBlob, MissingBlob, ShortBlob, WrongDigest};
    let is_damage =
        matches!(finding.kind, MissingBlob | ShortBlob { .. } | LongBlob { .. } | WrongDigest { .. });
    is_damage && !finding.layers().is_empty()
}
