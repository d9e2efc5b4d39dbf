//! `bkcache ls`: what a folder or a repository has, a line for each name.

use std::io::{BufWriter, Write};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use cache_import::{Content, ImportError, Survey, survey};
use cache_ingest::{Event, Listed, Name, Step, Stored};
use cache_target::Opened;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::cli::{Global, Ls};
use crate::commands::env::Env;
use crate::commands::place;
use crate::display::{age, cut, grouped, padded, printable, short, size};
use crate::failure::{Doing, Failure};

/// How many names are looked into at once.
const AT_ONCE: usize = 16;
const BOLD: Style = Style::new().bold();
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// The most characters that are shown of a name or of a kind: the longest tag that a registry takes.
const LONGEST: usize = 128;

/// A name, where there is one, and what it stands for.
struct Line {
    name: Option<String>,
    found: Result<Survey, ImportError>,
}

/// Lists.
pub(crate) async fn run(args: &Ls, global: &Global) -> Result<(), Failure> {
    let env = Env::to_read(global, &args.registry, &args.place)?;
    let target = env.open_source(&args.place).await?;
    let listed = list(&target).await?;
    let known = listed.iter().filter_map(|listed| listed.descriptor.as_ref()?.as_ref().ok());
    let bytes = known.fold(0u64, |sum, descriptor| sum.saturating_add(descriptor.size));
    env.progress.event(&Event::Planned { blobs: listed.len() as u64, bytes });
    let looked = listed.into_iter().map(|listed| look(listed, &target, &env));
    let mut lines: Vec<Line> = stream::iter(looked).buffer_unordered(AT_ONCE).collect().await;
    drop(env);
    lines.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if args.caches {
        lines.retain(|line| line.found.as_ref().map_or(true, has_cache));
    }
    if lines.is_empty() && !args.json && !global.quiet {
        let what = if args.caches { "caches" } else { "tags" };
        let _ = writeln!(anstream::stderr(), "no {what} in {}", printable(&target.location));
    }
    let mut out = BufWriter::new(anstream::stdout().lock());
    let written = if args.json { write_json(&mut out, &lines) } else { write_lines(&mut out, &lines) };
    written.and_then(|()| out.flush()).doing(|| "cannot write to standard output".to_owned())?;
    match lines.iter().filter(|line| line.found.is_err()).count() {
        0 => Ok(()),
        unreadable => {
            let error = anyhow::anyhow!("{unreadable} of {} names cannot be read", lines.len());
            Err(Failure::Failed { doing: format!("cannot list {}", place(&target)), error, hint: None })
        }
    }
}

/// All that a place has, or of it the one manifest that was named.
async fn list(target: &Opened) -> Result<Vec<Listed>, Failure> {
    if target.is_named {
        let found = target.resolver.resolve(&target.name).await;
        let found = found.doing(|| format!("cannot read {}", place(target)))?;
        return Ok(vec![Listed { name: Some(target.name.clone()), descriptor: Some(Ok(found)) }]);
    }
    let doing = || format!("cannot list {}", target.location);
    match &target.lister {
        Some(lister) => lister.list().await.doing(doing),
        None => Err(Failure::Usage(format!("{}: such a place has no list", doing()))),
    }
}

async fn look(listed: Listed, target: &Opened, env: &Env<'_>) -> Line {
    let Listed { name, descriptor } = listed;
    let looked = async {
        let descriptor = match descriptor {
            Some(known) => known.map_err(ImportError::Store)?,
            None => {
                let name = name.clone().unwrap_or_default();
                let found = target.resolver.resolve(&name).await.map_err(ImportError::Store)?;
                env.progress.event(&Event::Planned { blobs: 0, bytes: found.size });
                found
            }
        };
        let (step, descriptor) = (Step::Check, &descriptor);
        env.progress.event(&Event::Started { step, descriptor });
        let found = survey(&*target.provider, descriptor, &env.import_options()).await?;
        env.progress.event(&Event::Finished { step, descriptor, stored: Stored::AlreadyPresent });
        Ok(found)
    };
    Line { found: looked.await, name: name.map(word) }
}

fn word(name: Name) -> String {
    match name {
        Name::Unspecified => Name::LATEST.to_owned(),
        Name::Tag(tag) => tag,
        Name::Digest(digest) => digest.to_string(),
    }
}

fn has_cache(survey: &Survey) -> bool {
    matches!(survey.content, Content::Cache(_) | Content::ImageWithCache)
}

/// What a name stands for, in words.
fn kind(content: &Content) -> String {
    match content {
        Content::Cache(form) => format!("cache ({form})"),
        Content::ImageWithCache => "image with cache".to_owned(),
        Content::Image => "image".to_owned(),
        Content::Other(media_type) => cut(media_type.as_str(), LONGEST),
        _ => "unknown".to_owned(),
    }
}

fn write_lines(out: &mut dyn Write, lines: &[Line]) -> std::io::Result<()> {
    let now = SystemTime::now();
    let head = ["NAME", "KIND", "SIZE", "AGE", "RECORDS", "DIGEST"].map(str::to_owned);
    let rows: Vec<Result<[String; 6], String>> = lines.iter().map(|line| row(line, now)).collect();
    let mut widths = head.each_ref().map(|cell| cell.chars().count());
    for row in rows.iter().flatten() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let spread = |cells: &[String; 6]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| padded(cell, width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "{BOLD}{}{BOLD:#}", spread(&head))?;
    for (line, row) in lines.iter().zip(&rows) {
        match row {
            Ok(cells) => writeln!(out, "{}", spread(cells))?,
            Err(error) => {
                let [width, ..] = widths;
                let name = padded(&shown(line), width);
                writeln!(out, "{name}  {RED}error:{RED:#} {}", printable(error))?;
            }
        }
    }
    Ok(())
}

/// The name as far as it is shown.
fn shown(line: &Line) -> String {
    line.name.as_ref().map_or_else(|| NOTHING.to_owned(), |name| cut(name, LONGEST))
}

fn row(line: &Line, now: SystemTime) -> Result<[String; 6], String> {
    let survey = line.found.as_ref().map_err(ToString::to_string)?;
    let age = survey.newest.map_or_else(|| NOTHING.to_owned(), |newest| age(newest, now));
    let records = if has_cache(survey) { grouped(survey.records as u64) } else { NOTHING.to_owned() };
    Ok([
        shown(line),
        kind(&survey.content),
        size(survey.size),
        age,
        records,
        short(&survey.descriptor.digest),
    ])
}

fn write_json(out: &mut dyn Write, lines: &[Line]) -> std::io::Result<()> {
    let list: Vec<Value> = lines.iter().map(line_json).collect();
    serde_json::to_writer_pretty(&mut *out, &list)?;
    writeln!(out)
}

fn line_json(line: &Line) -> Value {
    let survey = match &line.found {
        Ok(survey) => survey,
        Err(error) => return json!({"name": line.name, "error": error.to_string()}),
    };
    let (kind, form, artifact) = match &survey.content {
        Content::Cache(form) => ("cache", Some(form.name()), None),
        Content::ImageWithCache => ("image-with-cache", None, None),
        Content::Image => ("image", None, None),
        Content::Other(media_type) => ("other", None, Some(media_type.as_str())),
        _ => ("unknown", None, None),
    };
    json!({
        "name": line.name,
        "kind": kind,
        "form": form,
        "artifact": artifact,
        "size": survey.size,
        "records": survey.records,
        "newest": survey.newest.map(|newest| newest.to_string()),
        "digest": survey.descriptor.digest.to_string(),
        "mediaType": survey.descriptor.media_type.as_str(),
    })
}
