//! `bkcache repair`: a cache without what needs missing or damaged blobs.

use std::collections::{BTreeMap, HashSet};

use cache_edit::{BrokenResult, RepairReport, Selection, keep};
use cache_ingest::Event;
use cache_model::{CacheChains, Descriptor, Digest, count, grouped};
use cache_report::text::size;
use cache_verify::{DamagedBlob, FindingKind, damaged_blobs};
use serde_json::{Map, Value, json};

use crate::cli::{GlobalArgs, RepairArgs};
use crate::edit::{EditPlaces, EditTask, Edited, NO_RESULT, nothing_left, print_config, run as run_edit};
use crate::edit_report::{EditReport, totals_json};
use crate::failure::{Doing, Failure};
use crate::output::first_lines;
use crate::shell::quoted;
use crate::sources::{CacheSource, blobs_of, edit_failure, merged};
use crate::stores::Stores;

pub(crate) async fn run(args: &RepairArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.edit.print_config {
        let edit = async |caches: &[CacheSource], stores: &Stores| {
            let chains = merged(caches)?;
            let bad = BadBlobs::given(&chains, args, stores);
            repair(&chains, caches, &bad, |_, _| Ok(EditReport::default()))
        };
        return print_config(&args.edit, global, edit).await;
    }
    let EditPlaces { sources, destination, base } = EditPlaces::of(&args.edit, args.in_place)?;
    let edit = async |caches: &[CacheSource], stores: &Stores| {
        let chains = merged(caches)?;
        let mut bad = BadBlobs::given(&chains, args, stores);
        bad.look(&chains, caches, args, stores).await?;
        repair(&chains, caches, &bad, |report, bad| {
            check_is_left(report, bad, args, &destination)?;
            Ok(report_of(report, bad, args, global))
        })
    };
    let task = EditTask { sources: &sources, destination: &destination, base, args: &args.edit, global };
    run_edit(&task, edit).await
}

/// The blobs that a build could not use, and how many there are of all.
struct BadBlobs {
    blobs: usize,
    defects: BTreeMap<Digest, BadBlob>,
}

struct BadBlob {
    size: u64,
    defect: FindingKind,
}

impl BadBlobs {
    /// Those that the user takes as missing.
    fn given(chains: &CacheChains, args: &RepairArgs, stores: &Stores) -> Self {
        let missing: HashSet<Digest> = args.missing.iter().copied().collect();
        let mut bad = Self { blobs: 0, defects: BTreeMap::new() };
        for blob in chains.blobs() {
            bad.blobs += 1;
            if missing.contains(&blob.digest) {
                bad.note(blob, FindingKind::MissingBlob);
            }
        }
        for digest in args.missing.iter().filter(|digest| !bad.defects.contains_key(digest)) {
            let message = format!("--missing {digest}: no result has such a blob; check the digest");
            stores.job.event(&Event::Warning { message: &message });
        }
        bad
    }

    /// Looks for damage among the others.
    async fn look(
        &mut self,
        chains: &CacheChains,
        caches: &[CacheSource],
        args: &RepairArgs,
        stores: &Stores,
    ) -> Result<(), Failure> {
        let provider = blobs_of(caches);
        let unknown = chains.blobs().filter(|blob| !self.defects.contains_key(&blob.digest));
        let looked = damaged_blobs(&provider, unknown, args.read, &stores.job).await;
        let places: Vec<String> = caches.iter().map(|cache| cache.opened.place()).collect();
        let looked = looked.doing(|| format!("cannot tell what {} has", places.join(" and ")));
        let advice =
            "nothing was changed: no blob counts as missing on a guess; --missing names one that is lost";
        for DamagedBlob { descriptor, defect, .. } in looked.map_err(|failure| failure.advise(advice))? {
            self.note(&descriptor, defect);
        }
        Ok(())
    }

    fn note(&mut self, blob: &Descriptor, defect: FindingKind) {
        self.defects.insert(blob.digest, BadBlob { size: blob.size, defect });
    }
}

/// Keeps of a cache what needs no bad blob.
fn repair(
    chains: &CacheChains,
    caches: &[CacheSource],
    bad: &BadBlobs,
    report: impl FnOnce(&RepairReport, &BadBlobs) -> Result<EditReport, Failure>,
) -> Result<Edited, Failure> {
    let failed = |error| edit_failure(error, caches);
    let graph = chains.graph().map_err(|error| failed(error.into()))?;
    let is_bad = |blob: &Digest| bad.defects.contains_key(blob);
    let complete = Selection::complete(&graph, &is_bad);
    let report = report(&RepairReport::of(&complete, &is_bad), bad)?;
    Ok(Edited { chains: keep(&complete).map_err(failed)?, report })
}

/// Refuses a cache without results.
fn check_is_left(
    report: &RepairReport,
    bad: &BadBlobs,
    args: &RepairArgs,
    destination: &str,
) -> Result<(), Failure> {
    if report.after.results > 0 {
        return Ok(());
    }
    let remove =
        || format!("remove the tag with `bkcache rm {}`, and builds run every step", quoted(destination));
    let why = match report.before.results {
        0 => NO_RESULT.to_owned(),
        _ => format!("{}, and no result has all of its blobs", damaged_line(bad)),
    };
    Err(nothing_left(destination, why, args.in_place.then(remove)))
}

fn report_of(report: &RepairReport, bad: &BadBlobs, args: &RepairArgs, global: &GlobalArgs) -> EditReport {
    let mut lines = Vec::new();
    if bad.defects.is_empty() {
        let looked = if args.read { "read" } else { "looked up" };
        lines.push(format!("{} {looked}, nothing is missing or damaged", count(bad.blobs as u64, "blob")));
    } else {
        lines.push(damaged_line(bad));
        let defects: Vec<_> = bad.defects.iter().collect();
        lines.extend(first_lines(&defects, "blob", global, |(digest, blob)| {
            format!("  {digest} {}", words(blob))
        }));
    }
    lines.extend(dropped_line(report));
    EditReport { lines, details: Vec::new(), json: report_json(report, bad) }
}

/// How many blobs are bad.
fn damaged_line(bad: &BadBlobs) -> String {
    let defects = grouped(bad.defects.len() as u64);
    format!("{defects} of {} missing or damaged", count(bad.blobs as u64, "blob"))
}

/// The defect of a blob, after its digest.
fn words(BadBlob { size: expected, defect }: &BadBlob) -> String {
    match defect {
        FindingKind::ShortBlob { actual, .. } | FindingKind::LongBlob { actual: Some(actual), .. } => {
            format!("has {}, not {}", count(*actual, "byte"), grouped(*expected))
        }
        FindingKind::LongBlob { .. } => format!("goes on after its {}", count(*expected, "byte")),
        FindingKind::WrongDigest { .. } => format!("has other content ({})", size(*expected)),
        _ => format!("is missing ({})", size(*expected)),
    }
}

/// What went, and what that saves; `None` for nothing.
fn dropped_line(report: &RepairReport) -> Option<String> {
    let RepairReport { before, after, broken, .. } = report;
    let older = broken.iter().filter(|broken| broken.replaced_by.is_some()).count() as u64;
    let results = broken.len() as u64 - older;
    let records = before.records.saturating_sub(after.records) as u64;
    if records == 0 && broken.is_empty() {
        return None;
    }
    let saved = size(before.bytes.saturating_sub(after.bytes));
    let mut line = format!("dropped {} and {} ({saved})", count(records, "record"), count(results, "result"));
    if older > 0 {
        let have = if older == 1 { "has" } else { "have" };
        line.push_str(&format!("; {} {have} an older result instead", count(older, "record")));
    }
    Some(line)
}

fn report_json(report: &RepairReport, bad: &BadBlobs) -> Map<String, Value> {
    let damaged = bad.defects.iter().map(|(digest, BadBlob { size, defect })| {
        json!({"digest": digest.to_string(), "size": size, "defect": defect.code()})
    });
    let broken =
        report.broken.iter().map(|BrokenResult { record, created_at, blob, replaced_by, .. }| {
            json!({
                "record": record.to_string(),
                "createdAt": created_at.to_string(),
                "blob": blob.to_string(),
                "replacedBy": replaced_by.map(|older| older.to_string()),
            })
        });
    let members = [
        ("before".to_owned(), totals_json(&report.before)),
        ("after".to_owned(), totals_json(&report.after)),
        ("blobs".to_owned(), json!(bad.blobs)),
        ("damaged".to_owned(), damaged.collect()),
        ("broken".to_owned(), broken.collect()),
        ("fallen".to_owned(), report.fallen.iter().map(ToString::to_string).collect()),
    ];
    members.into_iter().collect()
}
