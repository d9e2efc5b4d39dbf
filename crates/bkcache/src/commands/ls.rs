//! `bkcache ls`: the tags of a folder or a repository, a line each.

use std::cmp::Reverse;
use std::io::Write;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use cache_import::{Contents, ImportError, contents};
use cache_ingest::{Error, ErrorKind, Event, Listed, Name, Resolved, Step, Stored};
use cache_model::ReadError;
use cache_report::{Entry, Row, Survey, Table, entries_json};
use cache_target::Opened;
use futures_util::{StreamExt, stream};

use crate::cli::{GlobalArgs, LsArgs, SortKey};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::messages::Messages;
use crate::open::{open_source, place};
use crate::output::{terminal_width, write_text};
use crate::stores::Stores;

/// The number of manifests that are read at once.
const AT_ONCE: usize = 16;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();

/// A manifest of a place, as far as it is known from listing or resolving.
struct ListedManifest {
    name: Option<Name>,
    resolved: Option<Result<Resolved, Error>>,
}

impl From<Listed> for ListedManifest {
    fn from(listed: Listed) -> Self {
        let resolved = listed.descriptor.map(|descriptor| descriptor.map(Resolved::new));
        Self { name: listed.name, resolved }
    }
}

pub(crate) async fn run(args: &LsArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.registry, &args.place)?;
    let read = async move {
        let target = open_source(&stores, &args.place).await?;
        let listed = list(&target).await?;
        let known = listed.iter().filter_map(|manifest| manifest.resolved.as_ref()?.as_ref().ok());
        let bytes = known.fold(0u64, |sum, resolved| sum.saturating_add(resolved.descriptor.size));
        stores.job.event(&Event::Planned { blobs: listed.len() as u64, bytes });
        let looked = listed.into_iter().map(|manifest| look(manifest, &target, &stores));
        let entries: Vec<Entry> = stream::iter(looked).buffer_unordered(AT_ONCE).collect().await;
        Ok((target, entries))
    };
    let (target, mut entries) = unless_interrupted(read, None, global).await?;
    sort(&mut entries, args.sort);
    if args.caches {
        entries.retain(|entry| entry.found.as_ref().map_or(true, |found| found.content().has_cache()));
    }
    if entries.is_empty() && !args.json {
        let what = if args.caches { "caches" } else { "tags" };
        Messages::of(global).note(&format!("no {what} in {}", target.location));
    }
    write_text(|out| match args.json {
        true => writeln!(out, "{}", entries_json(&entries)),
        false => write_table(out, &entries, global),
    })?;
    match entries.iter().filter(|entry| entry.found.is_err()).count() {
        0 => Ok(()),
        unreadable => {
            let error = anyhow::anyhow!("{unreadable} of {} names cannot be read", entries.len());
            let (doing, kind) = (format!("cannot list {}", place(&target)), ErrorKind::Other);
            Err(Failure::Failed { doing, kind, error, hint: None })
        }
    }
}

/// Every manifest of a place, or only the one that the user named.
async fn list(target: &Opened) -> Result<Vec<ListedManifest>, Failure> {
    if target.is_named {
        let found = target.store.resolve(&target.name).await;
        let found = found.doing(|| format!("cannot read {}", place(target)))?;
        return Ok(vec![ListedManifest { name: Some(target.name.clone()), resolved: Some(Ok(found)) }]);
    }
    let doing = || format!("cannot list {}", target.location);
    match &target.lister {
        Some(lister) => Ok(lister.list().await.doing(doing)?.into_iter().map(ListedManifest::from).collect()),
        None => Err(Failure::Usage(format!("{}: this kind of store cannot list its tags", doing()))),
    }
}

async fn look(listed: ListedManifest, target: &Opened, stores: &Stores) -> Entry {
    let ListedManifest { name, resolved } = listed;
    let looked = async {
        let resolved = match resolved {
            Some(known) => known.map_err(ImportError::Store)?,
            None => {
                let name = name.clone().unwrap_or_default();
                let found = target.store.resolve(&name).await.map_err(ImportError::Store)?;
                stores.job.event(&Event::Planned { blobs: 0, bytes: found.descriptor.size });
                found
            }
        };
        let descriptor = &resolved.descriptor;
        let begun = stores.job.begin(Step::Check, descriptor);
        let found = contents(&*target.store, &resolved, &stores.job).await;
        match &found {
            Ok(_) => begun.finish(Stored::AlreadyPresent),
            Err(ImportError::Store(error)) => begun.fail(error),
            Err(other) => begun.fail(&Error::new(other.kind(), "read", descriptor.digest, other)),
        }
        found
    };
    let found = looked.await.map_err(|error: ImportError| error.to_string());
    let found = found.and_then(|found| survey(&found).map_err(|error| error.to_string()));
    Entry::new(name.map(word), found)
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
fn survey(contents: &Contents) -> Result<Survey, ReadError> {
    let mut survey = Survey::of(&contents.opened.descriptor, &contents.opened.unpacked);
    contents.manifests.iter().for_each(|manifest| survey.add_entry(manifest));
    contents.images.iter().for_each(|image| survey.add_image(&image.manifest, image.newest));
    for cache in &contents.imported.caches {
        survey.add_cache(&cache.origin, &cache.config);
    }
    Ok(survey)
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
