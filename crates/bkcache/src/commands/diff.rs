//! `bkcache diff`: what only one of two caches has, and what changed.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use cache_edit::{BlobDiff, BlobTotals, ComparedResult, Diff, Presence, RecordDiff, ResultChange};
use cache_model::{count, grouped};
use cache_report::text::{printable, size};
use serde_json::{Value, json};

use crate::cli::{DiffArgs, GlobalArgs};
use crate::failure::Failure;
use crate::interrupt::unless_interrupted;
use crate::output::{first_lines, report_then, write_text};
use crate::sources::{CacheSource, edit_failure, open_sources};
use crate::stores::Stores;

const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BOLD: Style = Style::new().bold();

pub(crate) async fn run(args: &DiffArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let texts = [args.a.clone(), args.b.clone()];
    let stores = Stores::for_reading(global, &args.registry, &[&args.a, &args.b])?;
    let read = async move { open_sources(&stores, &texts).await };
    let caches = unless_interrupted(read, None, global).await?;
    let [a, b] = caches.as_slice() else {
        return Err(Failure::Usage("two caches are compared".to_owned()));
    };
    let diff = cache_edit::diff(&a.chains, &b.chains).map_err(|error| edit_failure(error, &caches))?;
    let written = write_text(|out| match args.json {
        true => write_json(out, a, b, &diff),
        false => write_lines(out, a, b, &diff, global),
    });
    report_then(written, (args.exit_code && !diff.is_empty()).then_some(Failure::Negative))
}

/// How many records, results and blobs a part of the two caches has.
#[derive(Clone, Copy)]
struct PartTotals {
    records: usize,
    results: usize,
    blobs: BlobTotals,
}

impl PartTotals {
    fn of(records: &[RecordDiff], presence: Presence, change: ResultChange, blobs: BlobTotals) -> Self {
        Self {
            records: records.iter().filter(|record| record.presence == presence).count(),
            results: changed(records, change),
            blobs,
        }
    }

    /// As in `2 records, 1 result, 3 blobs (5 KiB)`.
    fn text(&self) -> String {
        let [records, results] = [(self.records, "record"), (self.results, "result")]
            .map(|(number, noun)| count(number as u64, noun));
        format!("{records}, {results}, {}", blobs_text(self.blobs))
    }

    fn json(&self) -> Value {
        json!({
            "records": self.records, "results": self.results,
            "blobs": self.blobs.blobs, "bytes": self.blobs.bytes,
        })
    }
}

/// How many records have newest results that differ in this way.
fn changed(records: &[RecordDiff], change: ResultChange) -> usize {
    records.iter().filter(|record| record.change == change).count()
}

fn blobs_text(blobs: BlobTotals) -> String {
    format!("{} ({})", count(blobs.blobs as u64, "blob"), size(blobs.bytes))
}

fn only_in(diff: &Diff) -> [PartTotals; 2] {
    let of = |presence, change, blobs| PartTotals::of(&diff.records, presence, change, blobs);
    [of(Presence::A, ResultChange::OnlyA, diff.only_a), of(Presence::B, ResultChange::OnlyB, diff.only_b)]
}

fn write_lines(
    out: &mut dyn Write,
    a: &CacheSource,
    b: &CacheSource,
    diff: &Diff,
    global: &GlobalArgs,
) -> std::io::Result<()> {
    for (name, cache) in [("A", a), ("B", b)] {
        writeln!(
            out,
            "{BOLD}{name}{BOLD:#}          {}: {}",
            printable(&cache.opened.place()),
            manifest(cache)
        )?;
    }
    for (name, part) in ["only in A", "only in B"].into_iter().zip(only_in(diff)) {
        writeln!(out, "{BOLD}{name}{BOLD:#}  {}", part.text())?;
    }
    let both = diff.records.iter().filter(|record| record.presence == Presence::Both).count() as u64;
    let [same, recompressed, changed] =
        [ResultChange::Same, ResultChange::Recompressed, ResultChange::Changed]
            .map(|change| changed(&diff.records, change) as u64);
    writeln!(
        out,
        "{BOLD}in both{BOLD:#}    {}, {}; of the results {} are the same, {} recompressed, {} changed",
        count(both, "record"),
        blobs_text(diff.both),
        grouped(same),
        grouped(recompressed),
        grouped(changed),
    )?;
    if diff.is_empty() {
        return writeln!(out, "no difference");
    }
    let lines = first_lines(&diff.blobs, "blob", global, |blob| {
        let BlobDiff { descriptor, presence, is_recompressed, .. } = blob;
        let (style, sign) = if *presence == Presence::A { (RED, '-') } else { (GREEN, '+') };
        let note = if *is_recompressed { " recompressed" } else { "" };
        format!("{style}{sign} {:>10}  {}{note}{style:#}", size(descriptor.size), descriptor.digest)
    });
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn manifest(cache: &CacheSource) -> String {
    cache.opened.cache.descriptor.digest.to_string()
}

fn write_json(out: &mut dyn Write, a: &CacheSource, b: &CacheSource, diff: &Diff) -> std::io::Result<()> {
    let [only_a, only_b] = only_in(diff);
    let cache = |cache: &CacheSource| json!({"place": cache.opened.place(), "manifest": manifest(cache)});
    let result = |result: ComparedResult| {
        json!({
            "createdAt": result.created_at.to_string(), "layers": result.layers, "bytes": result.bytes,
        })
    };
    let record = |record: &RecordDiff| {
        json!({
            "digest": record.digest.to_string(),
            "in": record.presence.name(),
            "result": record.change.name(),
            "a": record.a.map(result),
            "b": record.b.map(result),
        })
    };
    let blob = |blob: &BlobDiff| {
        json!({
            "digest": blob.descriptor.digest.to_string(),
            "mediaType": blob.descriptor.media_type.as_str(),
            "size": blob.descriptor.size,
            "in": blob.presence.name(),
            "recompressed": blob.is_recompressed,
        })
    };
    let both = diff.records.iter().filter(|record| record.presence == Presence::Both).count();
    let value = json!({
        "a": cache(a),
        "b": cache(b),
        "differ": !diff.is_empty(),
        "onlyA": only_a.json(),
        "onlyB": only_b.json(),
        "both": {
            "records": both,
            "same": changed(&diff.records, ResultChange::Same),
            "recompressed": changed(&diff.records, ResultChange::Recompressed),
            "changed": changed(&diff.records, ResultChange::Changed),
            "blobs": diff.both.blobs,
            "bytes": diff.both.bytes,
        },
        "blobs": diff.blobs.iter().map(blob).collect::<Vec<_>>(),
        "records": diff.records.iter().map(record).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}
