//! What is printed and written after an export.

use std::io::Write;
use std::path::Path;

use cache_export::Exported;
use cache_ingest::Tally;
use cache_report::text::{count, printable, size};

use crate::cli::{GlobalArgs, WriteArgs};
use crate::failure::{Doing, Failure};
use crate::messages::Messages;
use crate::open::OpenedDestination;
use crate::output::writing;

/// The hint after an interrupted export: blobs that were stored are not copied again.
pub(crate) const RESUMES: Option<&str> = Some("run the same command again to continue");

/// Writes the metadata file that the options ask for, and prints what was exported.
pub(crate) fn report_export(
    exported: &Exported,
    to: &OpenedDestination,
    write: &WriteArgs,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let place = to.place();
    if let Some(path) = &write.metadata_file {
        let text = serde_json::json!(exported.metadata()).to_string();
        write_text(path, &text).doing(|| {
            format!("{place} is written, but its metadata cannot be written to {}", path.display())
        })?;
    }
    if global.quiet || write.metadata_file.as_deref() == Some(Path::new("-")) {
        return Ok(());
    }
    writeln!(anstream::stdout().lock(), "{}", summary(exported, &place)).doing(writing)
}

fn summary(exported: &Exported, place: &str) -> String {
    let Some(manifest) = &exported.manifest else {
        return "skipping cache export for empty result".to_owned();
    };
    let blobs = &exported.blobs;
    let tally = |tally: Tally| format!("{} ({})", count(tally.blobs, "blob"), size(tally.bytes));
    let mut text = format!(
        "{}: {}\n{} copied, {} already there",
        printable(place),
        manifest.digest,
        tally(blobs.stored),
        tally(blobs.already_present),
    );
    if blobs.mounted.blobs > 0 {
        text.push_str(&format!(", {} mounted", tally(blobs.mounted)));
    }
    text
}

/// Makes a failed export a warning if the destination has `ignore-error=true`.
pub(crate) fn unless_ignored(
    result: Result<(), Failure>,
    to: &OpenedDestination,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    match result {
        Err(failure @ Failure::Failed { .. }) if to.ignores_errors() => {
            let line = failure.line().unwrap_or_default();
            Messages::of(global).warning(&format!("{line}; ignored because of ignore-error=true"));
            Ok(())
        }
        result => result,
    }
}

fn write_text(path: &Path, text: &str) -> std::io::Result<()> {
    if path == Path::new("-") {
        writeln!(std::io::stdout().lock(), "{text}")
    } else {
        std::fs::write(path, text)
    }
}
