//! What is printed and written after an export.

use std::fmt;
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

/// What was exported, or would be, in a few lines.
pub(crate) struct ExportSummary<'a> {
    pub(crate) exported: &'a Exported,
    pub(crate) place: &'a str,
    /// Whether blobs that the destination has were read and hashed.
    pub(crate) rehashes: bool,
    /// Whether nothing was written.
    pub(crate) is_dry: bool,
}

impl fmt::Display for ExportSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exported, rehashes, is_dry, .. } = self;
        let Some(manifest) = &exported.manifest else {
            return f.write_str("skipping cache export for empty result");
        };
        let there = if *rehashes { "already there" } else { "already there (trusted; --rehash checks)" };
        let outcomes = [
            (Stored::Stored, if *is_dry { "to write" } else { "written" }),
            (Stored::AlreadyPresent, there),
            (Stored::Mounted, "mounted"),
        ];
        let parts = outcomes
            .into_iter()
            .filter_map(|(stored, outcome)| Some(format!("{} {outcome}", with_documents(exported, stored)?)));
        let parts: Vec<String> = parts.collect();
        let (place, dry) = (printable(self.place), if *is_dry { " (dry run)" } else { "" });
        write!(f, "{place}: {}{dry}\n{}", manifest.digest, parts.join("; "))?;
        match exported.replaced {
            Some(before) if *is_dry => write!(f, "\n{place} points at {before} now"),
            Some(before) => write!(f, "\n{place} pointed at {before} before"),
            None => Ok(()),
        }
    }
}

/// Writes the metadata file that the options ask for, and prints what was exported. A failed export is a warning only if
/// the destination has `ignore-error=true`; what follows the export is not.
pub(crate) fn report_export(
    exported: Result<Exported, Failure>,
    to: &OpenedDestination,
    metadata: Option<MetadataFile>,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let Some(exported) = unless_ignored(exported, to, global)? else { return Ok(()) };
    let place = to.place();
    let uses_stdout = write_metadata(&exported, &place, metadata)?;
    if global.quiet || uses_stdout {
        return Ok(());
    }
    let summary = ExportSummary { exported: &exported, place: &place, rehashes: to.rehashes, is_dry: false };
    let failing = || format!("{place} is written, but {}", writing());
    written(writeln!(anstream::stdout().lock(), "{summary}"), failing)
}

/// An outcome; `None` for a failure that is a warning only, as the destination has `ignore-error=true`.
pub(crate) fn unless_ignored<T>(
    outcome: Result<T, Failure>,
    to: &OpenedDestination,
    global: &GlobalArgs,
) -> Result<Option<T>, Failure> {
    match outcome {
        Err(failure @ Failure::Failed { .. }) if to.ignores_errors() => {
            let line = failure.line().unwrap_or_default();
            Messages::of(global).warning(&format!("{line}; ignored because of ignore-error=true"));
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

/// Writes the metadata file that the options ask for. Says whether that is standard output.
pub(crate) fn write_metadata(
    exported: &Exported,
    place: &str,
    metadata: Option<MetadataFile>,
) -> Result<bool, Failure> {
    let Some(file) = metadata else { return Ok(false) };
    let (is_stdout, path) = (file.is_stdout(), file.path().display().to_string());
    let result = file.write(&serde_json::json!(exported.metadata()).to_string());
    match is_stdout {
        true => written(result, || format!("{place} is written, but {}", writing()))?,
        false => {
            result.doing(|| format!("{place} is written, but its metadata cannot be written to {path}"))?;
        }
    }
    Ok(is_stdout)
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

/// The advice for a cache with missing or damaged blobs: the command that keeps the rest, with the words that it needs.
pub(crate) fn repair_advice<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    keeps_the_rest(&format!("bkcache repair {}", words.join(" ")))
}

/// What a command that repairs a cache does.
pub(crate) fn keeps_the_rest(command: &str) -> String {
    format!("`{command}` keeps the results that are complete")
}

/// Blobs of layers, config and manifest that came to be in the destination in one way, counted apart.
fn with_documents(exported: &Exported, stored: Stored) -> Option<String> {
    let tally = layer_tally(exported, stored);
    let mut documents = Vec::new();
    if tally.blobs > 0 {
        documents.push(format!("{} ({})", count(tally.blobs, "blob"), size(tally.bytes)));
    }
    if exported.config.is_some() && exported.config_stored == Some(stored) {
        documents.push("1 config".to_owned());
    }
    if exported.manifest_stored == Some(stored) {
        documents.push("1 manifest".to_owned());
    }
    (!documents.is_empty()).then(|| documents.join(", "))
}

/// The blobs of layers that came to be in the destination in one way.
pub(crate) fn layer_tally(exported: &Exported, stored: Stored) -> Tally {
    let blobs = &exported.blobs;
    let mut tally = match stored {
        Stored::Stored => blobs.stored,
        Stored::AlreadyPresent => blobs.already_present,
        Stored::Mounted => blobs.mounted,
        _ => Tally::default(),
    };
    if let Some(config) = exported.config.as_ref().filter(|_| exported.config_stored == Some(stored)) {
        tally.blobs = tally.blobs.saturating_sub(1);
        tally.bytes = tally.bytes.saturating_sub(config.size);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advice_can_be_pasted_into_a_shell() {
        let advice = "`bkcache repair 'a b' DST` keeps the results that are complete";
        assert_eq!(repair_advice(["a b", "DST"]), advice);
    }
}
