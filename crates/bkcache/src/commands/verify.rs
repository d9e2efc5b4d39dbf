//! `bkcache verify`: a line for each finding, and an exit code that says whether something is wrong.

use std::collections::HashSet;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use cache_model::{CacheChains, count, grouped};
use cache_report::text::{printable, size};
use cache_target::Opened;
use cache_verify::{LayerReader, Report, Severity, VerifyOptions, verify_with};
use serde_json::{Value, json};

use crate::cli::{GlobalArgs, VerifyArgs};
use crate::content::{BuildChecks, ContentReader, also_common_header};
use crate::content_report::{content_json, finding_kinds, findings_json, write_content};
use crate::failure::{Doing, Failure};
use crate::finding_names::FindingNames;
use crate::help::help_address;
use crate::inputs::{Builds, images_of};
use crate::interrupt::unless_interrupted;
use crate::mending;
use crate::open::{OpenedSource, advise_to_list, open_source, place};
use crate::output::{report_then, write_text};
use crate::report::keeps_the_rest;
use crate::stores::Stores;

/// What `--content` says without a record.
const NEEDS_RECORD: &str = "--content needs --record, the record of the build that made the cache, since a key does not say what \
    it names; the .dockerbuild of `docker buildx history export`, or an image whose build attached provenance with mode=max, is one";

/// What was found.
struct Verified {
    report: Report,
    content: Vec<BuildChecks>,
    /// What the records stand for, if a record of the build was given.
    names: Option<FindingNames>,
}

pub(crate) async fn run(args: &VerifyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.content && args.build.records.is_empty() {
        return Err(Failure::Usage(NEEDS_RECORD.to_owned()));
    }
    let targets = std::iter::once(args.source.source.as_str()).chain(images_of(&args.build.records));
    let stores = Stores::for_reading(global, &args.source.registry, &targets.collect::<Vec<_>>())?;
    let target = open_source(&stores, &args.source.source).await?;
    let place = place(&target);
    let verified = async {
        if args.build.records.is_empty() {
            let report = verified(args, &stores, &target, &()).await?;
            return Ok(Verified { report, content: Vec::new(), names: None });
        }
        verified_by_record(args, &stores, &target).await
    };
    let verified = unless_interrupted(verified, None, global).await?;
    drop(stores);
    let is_content_sound = verified.content.iter().all(BuildChecks::is_sound);
    let report = &verified.report;
    let written = write_text(|out| match args.json {
        true => write_json(out, &verified, args),
        false => write_lines(out, &place, &verified, args, global),
    });
    let failure = (!report.is_sound() || !is_content_sound).then(|| {
        let advice = mending::repair(report, &args.source).filter(|_| !global.quiet);
        Failure::Unsound { advice: advice.as_deref().map(keeps_the_rest) }
    });
    report_then(written, failure)
}

/// Verifies the cache, while another reader may have its layers.
async fn verified(
    args: &VerifyArgs,
    stores: &Stores,
    target: &Opened,
    reader: &dyn LayerReader,
) -> Result<Report, Failure> {
    let options = VerifyOptions::default().with_blobs(!args.no_read).with_max_expansion(args.max_expansion);
    let verified = verify_with(&*target.store, &target.name, &options, &stores.job, reader).await;
    let verified = verified.doing(|| format!("cannot verify {}", place(target)));
    verified.map_err(|failure| advise_to_list(failure, target, &args.source.source))
}

/// Verifies the cache by the record of its build. Of a cache that cannot be loaded, only the other findings count.
async fn verified_by_record(
    args: &VerifyArgs,
    stores: &Stores,
    target: &Opened,
) -> Result<Verified, Failure> {
    let builds = Builds::read(stores, &args.build, &also_common_header()).await?;
    let loaded = load(stores, &args.source.source, &builds).await;
    let (chains, names) = match loaded {
        Ok(loaded) => loaded,
        Err(failure) => {
            let report = verified(args, stores, target, &()).await?;
            return match report.is_sound() {
                true => Err(failure),
                false => Ok(Verified { report, content: Vec::new(), names: None }),
            };
        }
    };
    if !args.content {
        let report = verified(args, stores, target, &()).await?;
        return Ok(Verified { report, content: Vec::new(), names: Some(names) });
    }
    let graph = chains.graph().doing(|| format!("cannot verify {}", place(target)))?;
    let reader = ContentReader::new(&graph, &builds, args.max_expansion);
    let report = verified(args, stores, target, &reader).await?;
    let content = reader.checks(stores, &graph, &builds)?;
    Ok(Verified { report, content, names: Some(names) })
}

/// The records of the cache, and what they stand for.
async fn load(stores: &Stores, text: &str, builds: &Builds) -> Result<(CacheChains, FindingNames), Failure> {
    let source = OpenedSource::open(stores, text).await?;
    let imported = source.import(stores).await?;
    let names = FindingNames::of(&imported, builds).doing(|| source.reading())?;
    Ok((imported.into_chains().doing(|| source.reading())?, names))
}

fn write_lines(
    out: &mut dyn Write,
    place: &str,
    verified: &Verified,
    args: &VerifyArgs,
    global: &GlobalArgs,
) -> std::io::Result<()> {
    let report = &verified.report;
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
        let names = verified.names.as_ref().and_then(|names| names.text(finding)).unwrap_or_default();
        writeln!(
            out,
            "{style}{severity}{style:#}: {}{}",
            printable(&finding.to_string()),
            printable(&names)
        )?;
    }
    write_content(out, &verified.content, global)?;
    if global.quiet {
        return Ok(());
    }
    if global.verbose {
        for kind in kinds(verified) {
            writeln!(out, "  see {}", help_address(&kind))?;
        }
    }
    let flaws: usize = verified.content.iter().map(BuildChecks::flaws).sum();
    let errors = (report.count(Severity::Error) + flaws) as u64;
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

/// The kinds of the findings, each once, in the order in which they were printed first.
fn kinds(verified: &Verified) -> Vec<String> {
    let findings = verified.report.findings.iter().map(|finding| finding.kind.code().to_owned());
    let mut kinds: Vec<String> = findings.chain(finding_kinds(&verified.content)).collect();
    let mut seen = HashSet::new();
    kinds.retain(|kind| seen.insert(kind.clone()));
    kinds
}

fn write_json(out: &mut dyn Write, verified: &Verified, args: &VerifyArgs) -> std::io::Result<()> {
    let report = &verified.report;
    let mut findings: Vec<Value> = report
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
                "names": verified.names.as_ref().map(|names| names.of_finding(finding)),
            })
        })
        .collect();
    findings.extend(findings_json(&verified.content));
    let is_content_sound = verified.content.iter().all(BuildChecks::is_sound);
    let mut value = json!({
        "manifest": report.subject.digest.to_string(),
        "form": report.form.map(cache_format::Form::name),
        "sound": report.is_sound() && is_content_sound,
        "caches": report.caches,
        "records": report.records,
        "blobs": report.blobs,
        "blobsRead": report.blobs_read,
        "configs": report.configs,
        "manifests": report.manifests,
        "bytes": report.bytes,
        "findings": findings,
    });
    if let (true, Value::Object(members)) = (args.content, &mut value) {
        members.insert("content".to_owned(), content_json(&verified.content));
    }
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}
