//! `bkcache tag`: another name for a manifest, in the same folder or repository.

use std::io::Write;
use std::path::Path;

use cache_ingest::{Standing, add_manifest_name};
use cache_model::Descriptor;
use cache_registry::RegistryScheme;
use cache_report::text::printable;
use cache_target::{Attributes, Opened, Reference, Role};
use serde_json::{Value, json};

use crate::cli::{GlobalArgs, TagArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::{CANCELLING, unless_interrupted};
use crate::open::{advise_to_list, open_source, place, reading};
use crate::output::write_text;
use crate::shell::quoted;
use crate::stores::{Stores, opening};

/// A new name, and the manifest that it stood for before.
struct NewName {
    place: String,
    manifest: Descriptor,
    before: Standing,
}

pub(crate) async fn run(args: &TagArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let text = args.source.as_str();
    let from = Attributes::parse(text, Role::Source).doing(|| opening(text, Role::Source))?;
    let new = args.new.iter().map(|new| renamed(&from, text, new)).collect::<Result<Vec<_>, _>>()?;
    let stores = Stores::for_reading(global, &args.registry, &[text])?;
    let registries = stores.registries.clone();
    let tagged = async {
        let source = open_source(&stores, text).await?;
        let mut tagged = Vec::new();
        for to in &new {
            tagged.push(tag(&source, to, args, &stores).await?);
        }
        Ok(tagged)
    };
    let tagged = unless_interrupted(tagged, None, global).await;
    registries.settle(CANCELLING).await;
    let tagged = tagged?;
    drop(stores);
    write_text(|out| match args.json {
        true => writeln!(out, "{:#}", list_json(&tagged, args.dry_run)),
        false if global.quiet && !args.dry_run => Ok(()),
        false => tagged.iter().try_for_each(|one| write_line(out, one, args.dry_run)),
    })
}

/// The destination that a new name means: a tag beside the source, or a full name in the same place.
fn renamed(from: &Attributes, source: &str, new: &str) -> Result<Attributes, Failure> {
    let doing = || format!("cannot tag {source} as {new}");
    let usage = |what: String| Failure::Usage(format!("{}: {what}", doing()));
    if Reference::is_tag(new) {
        return beside(from, new).ok_or_else(|| usage("the source names no place".to_owned()));
    }
    let to = Attributes::parse(new, Role::Destination).doing(doing)?;
    if is_same_place(from, &to) {
        return Ok(to);
    }
    let command = format!("`bkcache copy {} {}`", quoted(source), quoted(new));
    Err(usage(format!("it is another place, to which blobs have to be copied; use {command}")))
}

/// The destination of a tag in the place of a source.
fn beside(from: &Attributes, tag: &str) -> Option<Attributes> {
    let mut to = Attributes::new(from.kind());
    if from.kind() == "local" {
        to.set("dest", from.get("src")?);
        to.set("tag", tag);
        return Some(to);
    }
    let reference = RegistryScheme::reference(from).ok()?;
    to.set("ref", &format!("{}:{tag}", reference.repository()));
    if let Some(insecure) = from.get("registry.insecure") {
        to.set("registry.insecure", insecure);
    }
    Some(to)
}

fn is_same_place(from: &Attributes, to: &Attributes) -> bool {
    let folder = |path: Option<&str>| path.and_then(|path| Path::new(path).canonicalize().ok());
    match (from.kind(), to.kind()) {
        ("local", "local") => {
            let source = folder(from.get("src"));
            source.is_some() && source == folder(to.get("dest"))
        }
        ("registry", "registry") => {
            let repository = |attributes| RegistryScheme::reference(attributes).ok();
            let pair = repository(from).zip(repository(to));
            pair.is_some_and(|(from, to)| from.repository() == to.repository())
        }
        _ => false,
    }
}

async fn tag(source: &Opened, to: &Attributes, args: &TagArgs, stores: &Stores) -> Result<NewName, Failure> {
    let text = args.source.as_str();
    let not_read = |failure| advise_to_list(failure, source, text);
    let manifest = source.store.resolve_descriptor(&source.name).await;
    let manifest = manifest.doing(|| reading(source)).map_err(not_read)?;
    let opened = stores.targets.open_attributes(to, Role::Destination).await;
    let opened = opened.doing(|| format!("cannot tag {} as {to}", place(source)))?;
    let doing = || format!("cannot tag {} as {}", place(source), place(&opened));
    let Some(writer) = &opened.writer else {
        return Err(Failure::Usage(format!("{}: it is read-only", doing())));
    };
    let before = writer.standing(&opened.name, &manifest).await.doing(doing)?;
    if !args.dry_run {
        let added = add_manifest_name(&*source.store, &source.name, writer, &opened.name, &stores.job).await;
        added.doing(doing)?;
    }
    Ok(NewName { place: place(&opened), manifest, before })
}

fn write_line(out: &mut dyn Write, new: &NewName, is_dry: bool) -> std::io::Result<()> {
    let place = printable(&new.place);
    let would = if is_dry { " (not done)" } else { "" };
    writeln!(out, "{place}: {}{would}", new.manifest.digest)?;
    if let Standing::Other(before) = new.before {
        let verb = if is_dry { "points" } else { "pointed" };
        let when = if is_dry { "now" } else { "before" };
        writeln!(out, "{place} {verb} at {before} {when}")?;
    }
    Ok(())
}

fn list_json(tagged: &[NewName], is_dry: bool) -> Value {
    let one = |new: &NewName| {
        let before = match new.before {
            Standing::Other(before) => Some(before.to_string()),
            _ => None,
        };
        json!({
            "name": new.place,
            "manifest": new.manifest.digest.to_string(),
            "replaced": before,
            "dryRun": is_dry,
        })
    };
    tagged.iter().map(one).collect()
}
