//! `bkcache ls`: the tags of a folder or a repository, a line each.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use cache_format::NotACache;
use cache_import::{Contents, ImportWarning, contents};
use cache_ingest::{Error, ErrorKind, Event, Listed, Name, ReadOnce, Resolved};
use cache_model::{Digest, count, grouped};
use cache_report::{Entry, Row, Survey, Table, entries_json};
use cache_target::Opened;
use futures_util::{StreamExt, stream};

use crate::cli::{GlobalArgs, LsArgs, SortKey};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::messages::Messages;
use crate::open::{advise_to_list, open_source, place, reading};
use crate::output::{report_then, terminal_width, write_text};
use crate::stores::Stores;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();

/// A manifest of a place and its name.
struct NamedManifest {
    name: Option<Name>,
    resolved: Result<Resolved, Error>,
}

/// What a manifest stands for, and why that is not a cache.
type Surveyed = (Survey, Option<NotACache>);

pub(crate) async fn run(args: &LsArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.registry, &[&args.place])?;
    let read = async move {
        let target = open_source(&stores, &args.place).await?;
        let named = list(&target, &args.place, &stores).await?;
        let surveyed = survey_each(&named, &target, &stores).await;
        Ok((target, named, surveyed))
    };
    let (target, named, surveyed) = unless_interrupted(read, None, global).await?;
    let found = |manifest: &NamedManifest| match &manifest.resolved {
        Ok(resolved) => surveyed.get(&resolved.descriptor.digest),
        Err(_) => None,
    };
    if let (true, true, [only]) = (args.caches, target.is_named, named.as_slice())
        && let Some(Ok((_, Some(reason)))) = found(only)
    {
        return Err(Failure::not_a_cache(place(&target), reason.clone()));
    }
    let entry = |manifest: &NamedManifest| {
        let found = match (&manifest.resolved, found(manifest)) {
            (Ok(_), Some(surveyed)) => surveyed.clone().map(|(survey, _)| survey),
            (Ok(_), None) => Err("it was not read".to_owned()),
            (Err(error), _) => Err(error.to_string()),
        };
        Entry::new(manifest.name.clone().map(word), found)
    };
    let mut entries: Vec<Entry> = named.iter().map(entry).collect();
    sort(&mut entries, args.sort);
    if args.caches {
        entries.retain(|entry| entry.found.as_ref().map_or(true, |found| found.content().has_cache()));
    }
    if entries.is_empty() && !args.json {
        let what = if args.caches { "caches" } else { "tags" };
        Messages::of(global).note(&format!("no {what} in {}", target.location));
    }
    let written = write_text(|out| match args.json {
        true => writeln!(out, "{}", entries_json(&entries)),
        false => write_table(out, &entries, global),
    });
    let unreadable = entries.iter().filter(|entry| entry.found.is_err()).count();
    let failure = (unreadable > 0).then(|| Failure::Failed {
        doing: format!("cannot list {}", place(&target)),
        kind: ErrorKind::Other,
        error: anyhow::anyhow!(
            "{} of {} cannot be read",
            grouped(unreadable as u64),
            count(entries.len() as u64, "name")
        ),
        hint: None,
    });
    report_then(written, failure)
}

/// Every manifest of a place, or only the one that the user named. A registry is asked for each tag's descriptor alone, since
/// many tags may have one manifest.
async fn list(target: &Opened, text: &str, stores: &Stores) -> Result<Vec<NamedManifest>, Failure> {
    if target.is_named {
        let found = target.store.resolve(&target.name).await;
        let found = found.doing(|| reading(target));
        let found = found.map_err(|failure| advise_to_list(failure, target, text))?;
        return Ok(vec![NamedManifest { name: Some(target.name.clone()), resolved: Ok(found) }]);
    }
    let doing = || format!("cannot list {}", target.location);
    let Some(lister) = &target.lister else {
        return Err(Failure::Usage(format!("{}: this kind of store cannot list its tags", doing())));
    };
    let listed = lister.list().await.doing(doing)?;
    let resolved = listed.into_iter().map(async |Listed { name, descriptor, .. }| {
        let resolved = match descriptor {
            Some(known) => known,
            None => target.store.resolve_descriptor(&name.clone().unwrap_or_default()).await,
        };
        NamedManifest { name, resolved: resolved.map(Resolved::new) }
    });
    Ok(stream::iter(resolved).buffer_unordered(stores.job.concurrency.max(1)).collect().await)
}

/// Reads each distinct manifest once, and what it leads to. Several indexes may have a manifest, several images a config.
async fn survey_each(
    named: &[NamedManifest],
    target: &Opened,
    stores: &Stores,
) -> HashMap<Digest, Result<Surveyed, String>> {
    let resolved = named.iter().filter_map(|manifest| manifest.resolved.as_ref().ok());
    let distinct: HashMap<Digest, &Resolved> =
        resolved.map(|resolved| (resolved.descriptor.digest, resolved)).collect();
    let bytes = distinct.values().fold(0u64, |sum, resolved| sum.saturating_add(resolved.descriptor.size));
    stores.job.event(&Event::Planned { blobs: distinct.len() as u64, bytes });
    let once = ReadOnce::new(&*target.store, &stores.job);
    let surveyed = distinct.into_iter().map(async |(digest, resolved)| {
        let found = contents(&once, resolved, &stores.job).await;
        let found = found.map(|found| {
            // That an image has no cache inside is what the list says.
            let is_listed = |warning: &&ImportWarning| matches!(warning, ImportWarning::SkippedImage { .. });
            for warning in found.imported.warnings.iter().filter(|warning| !is_listed(warning)) {
                let message = format!("{}@{digest}: {warning}", target.location);
                stores.job.event(&Event::Warning { message: &message });
            }
            (survey(&found), found.not_a_cache)
        });
        (digest, found.map_err(|error| error.to_string()))
    });
    stream::iter(surveyed).buffer_unordered(stores.job.concurrency.max(1)).collect().await
}

/// Sorts entries. Of equal ones, and of those that cannot be read, the order is that of their names.
fn sort(entries: &mut [Entry], by: SortKey) {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    match by {
        SortKey::Name => {}
        SortKey::Size => entries.sort_by_key(|entry| Reverse(entry.found.as_ref().ok().map(Survey::size))),
        SortKey::Age => {
            entries.sort_by_key(|entry| Reverse(entry.found.as_ref().ok().and_then(Survey::newest)));
        }
    }
}

fn word(name: Name) -> String {
    match name {
        Name::Unspecified => Name::LATEST.to_owned(),
        Name::Tag(tag) => tag,
        Name::Digest(digest) => digest.to_string(),
    }
}

/// The survey of what was read.
fn survey(contents: &Contents) -> Survey {
    let mut survey = Survey::of(&contents.opened.descriptor, &contents.opened.unpacked);
    contents.manifests.iter().for_each(|manifest| survey.add_entry(manifest));
    contents.artifacts.iter().for_each(|artifact| survey.add_artifact(artifact));
    contents.images.iter().for_each(|image| survey.add_image(&image.manifest, image.newest));
    contents.imported.caches.iter().for_each(|cache| survey.add_cache(&cache.origin, &cache.config));
    survey
}

fn write_table(out: &mut dyn Write, entries: &[Entry], global: &GlobalArgs) -> std::io::Result<()> {
    let table = Table::of(entries, SystemTime::now(), terminal_width());
    writeln!(out, "{BOLD}{}{BOLD:#}", table.head)?;
    table.rows.iter().try_for_each(|row| match row {
        Row::Found(line) => writeln!(out, "{line}"),
        Row::Unreadable { name, reason } => writeln!(out, "{name}  {RED}error:{RED:#} {reason}"),
    })?;
    if entries.is_empty() || global.quiet { Ok(()) } else { writeln!(out, "{DIM}{}{DIM:#}", table.total) }
}
