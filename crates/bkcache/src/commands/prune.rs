//! `bkcache prune`: a cache without what is old, does not fit, or leads to no result.

use std::path::Path;

use cache_edit::{KeepReason, KeptOld, Limits, PruneReport, PrunedResult, Selection, keep};
use cache_format::encode_config;
use cache_model::{count, grouped};
use cache_report::text::size;
use serde_json::{Map, Value, json};

use crate::cli::{GlobalArgs, PruneArgs};
use crate::edit::{EditPlaces, EditTask, Edited, NO_RESULT, nothing_left, print_config, run as run_edit};
use crate::edit_report::{EditReport, totals_json};
use crate::failure::Failure;
use crate::open::destination_folder;
use crate::output::first_lines;
use crate::shell::quoted;
use crate::sources::{CacheSource, edit_failure, merged};

pub(crate) async fn run(args: &PruneArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let limits = args.limits()?;
    if args.edit.print_config {
        let edit =
            async |caches: &[CacheSource], _: &_| prune(caches, &limits, |_| Ok(EditReport::default()));
        return print_config(&args.edit, global, edit).await;
    }
    let EditPlaces { sources, destination, base } = EditPlaces::of(&args.edit, args.in_place)?;
    let edit = async |caches: &[CacheSource], _: &_| {
        prune(caches, &limits, |pruned| {
            check_is_left(pruned, args, &destination)?;
            Ok(report_of(pruned, args, &destination, global))
        })
    };
    let task = EditTask { sources: &sources, destination: &destination, base, args: &args.edit, global };
    run_edit(&task, edit).await
}

/// Merges caches, and keeps of them what the limits allow.
fn prune(
    caches: &[CacheSource],
    limits: &Limits,
    report: impl FnOnce(&PruneReport) -> Result<EditReport, Failure>,
) -> Result<Edited, Failure> {
    let failed = |error| edit_failure(error, caches);
    let merged = merged(caches)?;
    let graph = merged.graph().map_err(|error| failed(error.into()))?;
    let before = Selection::newest(&graph);
    let config_size = |config: &_| encode_config(config).len() as u64;
    let after = before.clone().limited(limits, &config_size).map_err(failed)?;
    let report = report(&PruneReport::of(&before, &after, limits))?;
    Ok(Edited { chains: keep(&after).map_err(failed)?, report })
}

/// Refuses a cache without results.
fn check_is_left(
    PruneReport { before, after, .. }: &PruneReport,
    args: &PruneArgs,
    destination: &str,
) -> Result<(), Failure> {
    if after.results > 0 {
        return Ok(());
    }
    let limits = (before.results > 0).then(|| "choose other limits".to_owned());
    let remove = args.in_place.then(|| format!("remove the tag with `bkcache rm {}`", quoted(destination)));
    let hints: Vec<String> = limits.into_iter().chain(remove).collect();
    let why = if before.results > 0 { "no result would be left" } else { NO_RESULT };
    Err(nothing_left(destination, why.to_owned(), (!hints.is_empty()).then(|| hints.join(", or "))))
}

fn report_of(pruned: &PruneReport, args: &PruneArgs, destination: &str, global: &GlobalArgs) -> EditReport {
    let mut lines = vec![dropped_line(pruned)];
    lines.extend(first_lines(
        &pruned.dropped,
        "result",
        global,
        |PrunedResult { record, created_at, bytes, .. }| {
            format!("  {:>10}  {} of {created_at}", size(*bytes), record.excerpt())
        },
    ));
    if let Some(limit) = args.older_than.as_ref().filter(|_| !pruned.old.is_empty()) {
        lines.push(kept_line(&pruned.old, &limit.to_string()));
    }
    if args.in_place && !args.edit.dry_run && pruned.before != pruned.after {
        lines.push(collector_line(destination_folder(destination).as_deref()));
    }
    EditReport { lines, details: Vec::new(), json: report_json(pruned) }
}

/// What went, and what that saves.
fn dropped_line(PruneReport { before, after, dropped, .. }: &PruneReport) -> String {
    let records = (before.records - after.records.min(before.records)) as u64;
    let blobs = (before.blobs - after.blobs.min(before.blobs)) as u64;
    if records == 0 && dropped.is_empty() {
        return "nothing to drop".to_owned();
    }
    format!(
        "dropped {}, {} and {} ({})",
        count(records, "record"),
        count(dropped.len() as u64, "result"),
        count(blobs, "blob"),
        size(before.bytes.saturating_sub(after.bytes)),
    )
}

/// What is kept although it is old, and why.
fn kept_line(old: &[KeptOld], limit: &str) -> String {
    let used = old.iter().filter(|kept| matches!(kept.reason, KeepReason::UsedOn(_))).count() as u64;
    let needed = old.len() as u64 - used;
    let reasons = [(needed, "since fresh results were made from"), (used, "since builds have used")];
    let reasons = reasons.iter().filter(|(number, _)| *number > 0);
    let reasons: Vec<String> =
        reasons.map(|(number, reason)| format!("{} {reason} {}", grouped(*number), them(*number))).collect();
    format!("kept although older than {limit}: {}", reasons.join(", "))
}

fn them(number: u64) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// Who frees the blobs of what was dropped.
fn collector_line(folder: Option<&Path>) -> String {
    match folder {
        Some(folder) => {
            let folder = quoted(&folder.display().to_string());
            format!("`bkcache gc {folder}` deletes the blobs that no tag needs any more")
        }
        None => "the registry's garbage collector deletes the blobs that no tag needs any more".to_owned(),
    }
}

fn report_json(pruned: &PruneReport) -> Map<String, Value> {
    let dropped = pruned.dropped.iter().map(|PrunedResult { record, created_at, layers, bytes, .. }| {
        json!({
            "record": record.to_string(), "createdAt": created_at.to_string(), "layers": layers, "bytes": bytes,
        })
    });
    let old = pruned.old.iter().map(|KeptOld { record, created_at, reason, .. }| {
        let (name, reason) = match reason {
            KeepReason::UsedOn(day) => ("usedOn", day.to_string()),
            KeepReason::NeededBy(record) => ("neededBy", record.to_string()),
            _ => ("reason", "unknown".to_owned()),
        };
        json!({"record": record.to_string(), "createdAt": created_at.to_string(), name: reason})
    });
    let members = [
        ("before".to_owned(), totals_json(&pruned.before)),
        ("after".to_owned(), totals_json(&pruned.after)),
        ("dropped".to_owned(), dropped.collect()),
        ("old".to_owned(), old.collect()),
    ];
    members.into_iter().collect()
}
