//! What is printed and written after an export.

use std::io::Write;

use cache_export::Exported;
use cache_ingest::{ErrorKind, Stored, Tally};
use cache_model::{CacheChains, count};
use cache_report::text::{printable, size};

use crate::cli::GlobalArgs;
use crate::failure::{Doing, Failure};
use crate::messages::Messages;
use crate::metadata_file::MetadataFile;
use crate::open::OpenedDestination;
use crate::output::{writing, written};
use crate::shell::quoted;

/// The hint after an interrupted export: blobs that were stored are not copied again.
pub(crate) const RESUMES: Option<&str> = Some("run the same command again to continue");

/// Writes the metadata file that the options ask for, and prints what was exported. A failed export is a warning only if
/// the destination has `ignore-error=true`; what follows the export is not.
pub(crate) fn report_export(
    exported: Result<Exported, Failure>,
    to: &OpenedDestination,
    metadata: Option<MetadataFile>,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let exported = match exported {
        Err(failure @ Failure::Failed { .. }) if to.ignores_errors() => {
            let line = failure.line().unwrap_or_default();
            Messages::of(global).warning(&format!("{line}; ignored because of ignore-error=true"));
            return Ok(());
        }
        exported => exported?,
    };
    let place = to.place();
    let is_stdout = metadata.as_ref().is_some_and(MetadataFile::is_stdout);
    let failing = || format!("{place} is written, but {}", writing());
    if let Some(file) = metadata {
        let path = file.path().display().to_string();
        let result = file.write(&serde_json::json!(exported.metadata()).to_string());
        match is_stdout {
            true => written(result, failing)?,
            false => {
                result
                    .doing(|| format!("{place} is written, but its metadata cannot be written to {path}"))?;
            }
        }
    }
    if global.quiet || is_stdout {
        return Ok(());
    }
    written(writeln!(anstream::stdout().lock(), "{}", summary(&exported, &place, to.rehashes)), failing)
}

/// An export of records that name blobs, unless nothing is left of them. BuildKit exports nothing for a build without
/// results, and so do we; but where records name blobs, the blobs were lost, and a script must not go on without a cache.
pub(crate) fn with_a_result(
    exported: Exported,
    chains: &CacheChains,
    to: &OpenedDestination,
    advice: impl FnOnce() -> String,
) -> Result<Exported, Failure> {
    let named = chains.blobs().count() as u64;
    if exported.manifest.is_some() || named == 0 {
        return Ok(exported);
    }
    Err(Failure::Failed {
        doing: format!("nothing was exported to {}", to.place()),
        kind: ErrorKind::NotFound,
        error: anyhow::anyhow!(
            "the records name {}, but no result has all of its blobs",
            count(named, "blob")
        ),
        hint: Some(advice()),
    })
}

/// The advice for a source with missing or damaged blobs: the command that copies the rest, with the
/// options that it needs.
pub(crate) fn salvage_advice(options: &[String], source: &str, destination: &str) -> String {
    let words = options.iter().map(String::as_str).chain([source, destination]);
    let words: Vec<String> = words.map(quoted).collect();
    format!("`bkcache copy --canonical {}` copies the results that are complete", words.join(" "))
}

fn summary(exported: &Exported, place: &str, rehashes: bool) -> String {
    let Some(manifest) = &exported.manifest else {
        return "skipping cache export for empty result".to_owned();
    };
    let blobs = &exported.blobs;
    let there = if rehashes { "already there" } else { "already there (trusted; --rehash checks)" };
    let outcomes = [
        (Stored::Stored, blobs.stored, "written"),
        (Stored::AlreadyPresent, blobs.already_present, there),
        (Stored::Mounted, blobs.mounted, "mounted"),
    ];
    let parts = outcomes.into_iter().filter_map(|(stored, tally, outcome)| {
        Some(format!("{} {outcome}", with_documents(exported, stored, tally)?))
    });
    let parts: Vec<String> = parts.collect();
    let place = printable(place);
    let mut text = format!("{place}: {}\n{}", manifest.digest, parts.join("; "));
    if let Some(before) = exported.replaced {
        text.push_str(&format!("\n{place} pointed at {before} before"));
    }
    text
}

/// Blobs of layers, config and manifest that came to be in the destination in one way, counted apart.
fn with_documents(exported: &Exported, stored: Stored, mut tally: Tally) -> Option<String> {
    let mut documents = Vec::new();
    if let Some(config) = exported.config.as_ref().filter(|_| exported.config_stored == Some(stored)) {
        tally.blobs = tally.blobs.saturating_sub(1);
        tally.bytes = tally.bytes.saturating_sub(config.size);
        documents.push("1 config".to_owned());
    }
    if exported.manifest_stored == Some(stored) {
        documents.push("1 manifest".to_owned());
    }
    if tally.blobs > 0 {
        documents.insert(0, format!("{} ({})", count(tally.blobs, "blob"), size(tally.bytes)));
    }
    (!documents.is_empty()).then(|| documents.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advice_can_be_pasted_into_a_shell() {
        let advice = "`bkcache copy --canonical 'a b' DST` copies the results that are complete";
        assert_eq!(salvage_advice(&[], "a b", "DST"), advice);
    }
}
