//! `bkcache rm`: takes names away, each by itself, and says what has to follow.

use std::io::Write;
use std::sync::Arc;

use cache_ingest::{Name, NameStore, Removal, RemoveOptions, remove_manifest_name};
use cache_report::text::printable;
use cache_target::Opened;
use serde_json::{Value, json};

use crate::cli::{GlobalArgs, RmArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::messages::Messages;
use crate::open::{advise_to_list, is_a_folder, open_source, place};
use crate::output::{report_then, write_text};
use crate::shell::quoted;
use crate::stores::Stores;

/// A name to take away.
struct Named<'a> {
    text: &'a str,
    target: Opened,
    names: Arc<dyn NameStore>,
}

/// A name that was taken away.
struct Removed {
    place: String,
    location: String,
    is_folder: bool,
    removal: Removal,
}

pub(crate) async fn run(args: &RmArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let references: Vec<&str> = args.references.iter().map(String::as_str).collect();
    let stores = Stores::for_reading(global, &args.registry, &references)?;
    let remove = async {
        // All are opened first, so that a mistake in one removes none.
        let mut named = Vec::new();
        for text in &args.references {
            named.push(open(text, &stores).await?);
        }
        let mut outcomes = Vec::new();
        for named in &named {
            outcomes.push(remove(named, args, &stores).await);
        }
        Ok(outcomes)
    };
    let outcomes = unless_interrupted(remove, None, global).await?;
    drop(stores);
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(one) => removed.push(one),
            Err(failure) => failures.push(failure),
        }
    }
    let written = write_text(|out| match args.json {
        true => writeln!(out, "{:#}", list_json(&removed, args.dry_run)),
        false if global.quiet && !args.dry_run => Ok(()),
        false => write_lines(out, &removed, args.dry_run),
    });
    let last = failures.pop();
    failures.iter().for_each(|failure| Messages::of(global).error(failure));
    report_then(written, last)
}

async fn open<'a>(text: &'a str, stores: &Stores) -> Result<Named<'a>, Failure> {
    let target = open_source(stores, text).await?;
    let doing = format!("cannot remove {text}");
    if !target.is_named {
        let location = quoted(&target.location);
        return Err(Failure::Usage(format!(
            "{doing}: name the tag or the digest to remove, as in {location}:TAG; `bkcache ls {location}` lists them"
        )));
    }
    match target.names.clone() {
        Some(names) => Ok(Named { text, target, names }),
        None => Err(Failure::Usage(format!("{doing}: this kind of store removes nothing"))),
    }
}

async fn remove(named: &Named<'_>, args: &RmArgs, stores: &Stores) -> Result<Removed, Failure> {
    let Named { text, target, names } = named;
    let options = RemoveOptions::default().with_other_names(args.yes).with_dry_run(args.dry_run);
    let removal = remove_manifest_name(&**names, &target.name, options, &stores.job).await;
    let removal = removal.doing(|| format!("cannot remove {}", place(target)));
    let removal = removal.map_err(|failure| advise_to_list(failure, target, text))?;
    let (place, location) = (place(target), target.location.clone());
    Ok(Removed { place, location, is_folder: is_a_folder(text), removal })
}

fn write_lines(out: &mut dyn Write, removed: &[Removed], is_dry: bool) -> std::io::Result<()> {
    let done = if is_dry { "would be removed" } else { "removed" };
    for Removed { place, removal, .. } in removed {
        write!(out, "{}: {} {done}", printable(place), removal.manifest)?;
        if !removal.others.is_empty() {
            let others: Vec<String> = removal.others.iter().map(word).collect();
            let how = if is_dry { "other names of it" } else { "with it" };
            write!(out, "; {how}: {}", printable(&others.join(", ")))?;
        }
        writeln!(out)?;
    }
    let mut folders: Vec<&str> =
        removed.iter().filter(|one| one.is_folder).map(|one| one.location.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    if is_dry || removed.is_empty() {
        return Ok(());
    }
    for folder in &folders {
        let command = format!("`bkcache gc {}`", quoted(folder));
        writeln!(out, "no blob is deleted; {command} deletes those that no tag leads to")?;
    }
    if removed.iter().any(|one| !one.is_folder) {
        let collector = "such as docker-registry's `registry garbage-collect CONFIG`";
        writeln!(
            out,
            "no blob is deleted; the registry's collector, {collector}, deletes those that nothing needs"
        )?;
    }
    Ok(())
}

fn list_json(removed: &[Removed], is_dry: bool) -> Value {
    let one = |removed: &Removed| {
        let others: Vec<String> = removed.removal.others.iter().map(word).collect();
        json!({
            "name": removed.place,
            "manifest": removed.removal.manifest.to_string(),
            "others": others,
            "dryRun": is_dry,
        })
    };
    removed.iter().map(one).collect()
}

fn word(name: &Name) -> String {
    match name {
        Name::Unspecified => Name::LATEST.to_owned(),
        Name::Tag(tag) => tag.clone(),
        Name::Digest(digest) => digest.to_string(),
    }
}
