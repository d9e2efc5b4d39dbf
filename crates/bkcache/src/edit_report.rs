//! What is printed and written after an edit: the summary as text or as JSON, and the metadata file.

use std::io::Write;
use std::iter;

use cache_export::Exported;
use cache_ingest::{Stored, Tally};
use cache_model::{Totals, count};
use cache_report::text::{printable, size};
use serde_json::{Map, Value, json};

use crate::cli::{EditArgs, GlobalArgs};
use crate::failure::Failure;
use crate::messages::Messages;
use crate::metadata_file::MetadataFile;
use crate::open::OpenedDestination;
use crate::output::{writing, written};
use crate::report::{ExportSummary, layer_tally, unless_ignored, write_metadata};

/// The outcome of an edit.
pub(crate) struct EditOutcome {
    pub(crate) exported: Exported,
    pub(crate) report: EditReport,
    /// The caches that were edited, by the texts that the user named them by, and what each holds.
    pub(crate) caches: Vec<(String, Totals)>,
    /// How often the caches were edited, as another process had changed the destination meanwhile.
    pub(crate) attempts: u32,
}

/// What a command says about its edit.
#[derive(Debug, Default)]
pub(crate) struct EditReport {
    /// Lines of the summary.
    pub(crate) lines: Vec<String>,
    /// Lines on standard error that only `-v` shows.
    pub(crate) details: Vec<String>,
    /// Members of the summary as JSON.
    pub(crate) json: Map<String, Value>,
}

impl EditOutcome {
    /// What the new cache holds, as a line.
    fn totals(&self) -> Option<String> {
        let totals = self.exported.totals.filter(|_| self.exported.manifest.is_some())?;
        let of = count(self.caches.len() as u64, "cache");
        Some(format!("{totals} ({}) of {of}", size(totals.bytes)))
    }

    fn to_json(&self, place: &str, is_dry: bool) -> Value {
        let exported = &self.exported;
        let tally = |stored: Stored| {
            let Tally { blobs, bytes } = layer_tally(exported, stored);
            json!({"blobs": blobs, "bytes": bytes})
        };
        let cache = |(text, totals): &(String, Totals)| {
            let mut members = totals_json(totals);
            if let Some(members) = members.as_object_mut() {
                members.insert("source".to_owned(), json!(text));
            }
            members
        };
        let manifest = exported.manifest.as_ref();
        let head = json!({
            "destination": place,
            "dryRun": is_dry,
            "manifest": manifest.map(|manifest| json!({
                "mediaType": manifest.media_type.as_str(),
                "digest": manifest.digest.to_string(),
                "size": manifest.size,
            })),
            "replaced": exported.replaced.map(|digest| digest.to_string()),
            "attempts": self.attempts,
            "sources": self.caches.iter().map(cache).collect::<Vec<_>>(),
            "result": totals_json(&exported.totals.unwrap_or_default()),
            "written": tally(Stored::Stored),
            "alreadyThere": tally(Stored::AlreadyPresent),
            "mounted": tally(Stored::Mounted),
            "warnings": exported.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        let Value::Object(mut members) = head else { return head };
        members.extend(self.report.json.clone());
        Value::Object(members)
    }
}

/// Writes the metadata file that the options ask for, and prints what was made of the caches. A failed edit is a warning only
/// if the destination has `ignore-error=true`.
pub(crate) fn report_edit(
    outcome: Result<EditOutcome, Failure>,
    to: &OpenedDestination,
    args: &EditArgs,
    metadata: Option<MetadataFile>,
    global: &GlobalArgs,
) -> Result<(), Failure> {
    let Some(outcome) = unless_ignored(outcome, to, global)? else { return Ok(()) };
    let (exported, place) = (&outcome.exported, to.place());
    let uses_stdout = write_metadata(exported, &place, metadata)?;
    if global.verbose {
        outcome.report.details.iter().for_each(|detail| Messages::of(global).note(detail));
    }
    let text = if args.json {
        format!("{:#}", outcome.to_json(&place, args.dry_run))
    } else if global.quiet || uses_stdout {
        return Ok(());
    } else {
        let export = ExportSummary { exported, place: &place, rehashes: to.rehashes, is_dry: args.dry_run };
        let lines = outcome.report.lines.iter().map(|line| printable(line));
        iter::once(export.to_string()).chain(outcome.totals()).chain(lines).collect::<Vec<_>>().join("\n")
    };
    let failing = || match args.dry_run {
        true => writing(),
        false => format!("{place} is written, but {}", writing()),
    };
    written(writeln!(anstream::stdout().lock(), "{text}"), failing)
}

/// The numbers of a cache as an object.
pub(crate) fn totals_json(totals: &Totals) -> Value {
    let Totals { records, results, blobs, bytes } = totals;
    json!({"records": records, "results": results, "blobs": blobs, "bytes": bytes})
}
