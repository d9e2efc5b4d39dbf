//! `bkcache verify`: a line for each finding, and an exit code that says whether something is wrong.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use cache_model::{count, grouped};
use cache_report::text::{printable, size};
use cache_verify::{Finding, FindingKind, Report, Severity, VerifyOptions, verify};
use serde_json::{Value, json};

use crate::cli::{GlobalArgs, VerifyArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::open::{advise_to_list, open_source, place, replaceable};
use crate::output::{report_then, write_text};
use crate::report::repair_advice;
use crate::stores::Stores;

pub(crate) async fn run(args: &VerifyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &[&args.source.source])?;
    let target = open_source(&stores, &args.source.source).await?;
    let place = place(&target);
    let options = VerifyOptions::default().with_blobs(!args.no_read).with_max_expansion(args.max_expansion);
    let verified = async {
        let verified = verify(&*target.store, &target.name, &options, &stores.job).await;
        let verified = verified.doing(|| format!("cannot verify {place}"));
        verified.map_err(|failure| advise_to_list(failure, &target, &args.source.source))
    };
    let report = unless_interrupted(verified, None, global).await?;
    drop(stores);
    let written = write_text(|out| match args.json {
        true => write_json(out, &report),
        false => write_lines(out, &place, &report, args, global),
    });
    let failure = (!report.is_sound()).then(|| {
        let advises = !global.quiet && can_be_repaired(&report);
        Failure::Unsound { advice: advises.then(|| advice(&report, args)) }
    });
    report_then(written, failure)
}

/// The command that repairs the cache: under its tag if it has one of its own, else in a copy.
fn advice(report: &Report, args: &VerifyArgs) -> String {
    let source = args.source.source.as_str();
    let in_place = report.form.is_some() && replaceable(source).is_ok();
    // Without --read, only what a store says of its blobs counts.
    let is_found_by_reading =
        |finding: &Finding| is_about_a_blob(finding) && finding.kind != FindingKind::MissingBlob;
    let reads = report.findings.iter().any(is_found_by_reading);
    let options = args.source.registry.words();
    let words = in_place.then_some("--in-place").into_iter().chain(reads.then_some("--read"));
    let words = words.chain(options.iter().map(String::as_str)).chain([source]);
    repair_advice(words.chain((!in_place).then_some("DST")))
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

fn write_lines(
    out: &mut dyn Write,
    place: &str,
    report: &Report,
    args: &VerifyArgs,
    global: &GlobalArgs,
) -> std::io::Result<()> {
    for finding in &report.findings {
        let severity = finding.severity();
        if global.quiet && severity != Severity::Error {
            continue;
        }
        let colour = match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Note => AnsiColor::Cyan,
        };
        let style = Style::new().fg_color(Some(colour.into())).bold();
        writeln!(out, "{style}{severity}{style:#}: {}", printable(&finding.to_string()))?;
    }
    if global.quiet {
        return Ok(());
    }
    let errors = report.count(Severity::Error) as u64;
    let others =
        [(report.count(Severity::Warning) as u64, "warning"), (report.count(Severity::Note) as u64, "note")];
    let verdict = match errors {
        0 if args.no_read => "nothing is missing".to_owned(),
        0 => "sound".to_owned(),
        errors => count(errors, "error"),
    };
    let others = others.iter().filter(|(n, _)| *n > 0).map(|(n, noun)| format!(", {}", count(*n, noun)));
    let blobs = match (args.no_read, report.blobs - report.blobs_read.min(report.blobs)) {
        (true, _) => format!("{} looked up", count(report.blobs, "blob")),
        (false, 0) => count(report.blobs, "blob"),
        (false, _) => format!("{} of {}", grouped(report.blobs_read), count(report.blobs, "blob")),
    };
    let (configs, manifests) = (count(report.configs, "config"), count(report.manifests, "manifest"));
    writeln!(
        out,
        "{}: {}: {verdict}{}; {blobs}, {configs} and {manifests} read ({}), {}",
        printable(place),
        report.subject.digest,
        others.collect::<String>(),
        size(report.bytes),
        count(report.records, "record"),
    )
}

fn write_json(out: &mut dyn Write, report: &Report) -> std::io::Result<()> {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "severity": finding.severity().to_string(),
                "kind": finding.kind.code(),
                "message": finding.to_string(),
                "digest": finding.digest().map(ToString::to_string),
                "image": finding.image.map(|image| image.to_string()),
                "layers": finding.layers(),
                "records": finding.records(),
            })
        })
        .collect();
    let value = json!({
        "manifest": report.subject.digest.to_string(),
        "form": report.form.map(cache_format::Form::name),
        "sound": report.is_sound(),
        "caches": report.caches,
        "records": report.records,
        "blobs": report.blobs,
        "blobsRead": report.blobs_read,
        "configs": report.configs,
        "manifests": report.manifests,
        "bytes": report.bytes,
        "findings": findings,
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}
