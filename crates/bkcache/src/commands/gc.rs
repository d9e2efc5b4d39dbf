//! `bkcache gc`: deletes the blobs of a folder that no tag leads to, and says what it kept and why.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use cache_ingest::{CollectOptions, Collected, Job, LayoutOptions, LayoutStore, Tally};
use cache_model::{count, duration};
use cache_report::text::{printable, size};
use cache_target::{Attributes, Role};
use serde_json::{Value, json};

use crate::cli::{GcArgs, GlobalArgs};
use crate::failure::{CHECK_THE_PATH, Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::messages::Messages;
use crate::output::{first_lines, write_text};
use crate::progress::reporter;
use crate::stores::opening;

const RESUMES: Option<&str> = Some("the next `bkcache gc` goes on");

pub(crate) async fn run(args: &GcArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let path = folder(&args.folder)?;
    // A person looks first. A script has no one to ask, and was written to delete.
    let asks = !args.yes && !args.dry_run && is_on_a_terminal();
    let is_dry = args.dry_run || asks;
    let options = CollectOptions::default().with_older_than(args.older_than).with_dry_run(is_dry);
    let job = Job::default()
        .with_max_metadata(global.max_metadata_size)
        .with_progress(Arc::clone(&reporter(global)));
    let layout = LayoutOptions::default().with_max_metadata(job.max_metadata);
    let collect = async {
        let store = LayoutStore::open(&path, layout).await.doing(|| opening(&args.folder, Role::Source));
        let store = store.map_err(|failure| failure.advise_if_not_found(CHECK_THE_PATH))?;
        let collected = store.collect(options, &job).await;
        collected.doing(|| format!("cannot collect the garbage of {}", path.display()))
    };
    let collected = unless_interrupted(collect, RESUMES, global).await?;
    drop(job);
    let report = GcReport { args, collected: &collected, is_dry };
    let written = write_text(|out| match args.json {
        true => writeln!(out, "{:#}", report.json()),
        false => report.write(out, global),
    });
    let has_work = !collected.blobs.is_empty() || !collected.leftovers.is_empty();
    if asks && has_work {
        Messages::of(global).note("nothing was deleted: on a terminal, --yes does it");
    }
    written
}

/// The folder that is collected. A registry collects its own garbage.
fn folder(text: &str) -> Result<PathBuf, Failure> {
    let doing = || format!("cannot collect the garbage of {text}");
    let attributes = Attributes::parse(text, Role::Source).doing(doing)?;
    let usage = |what: &str| Err(Failure::Usage(format!("{}: {what}", doing())));
    if attributes.kind() != "local" {
        return usage(
            "it is no folder; a registry collects its own garbage, after `bkcache rm` has removed tags",
        );
    }
    if attributes.get("tag").or(attributes.get("digest")).is_some() {
        return usage("a folder is collected as a whole: name it without a tag");
    }
    match attributes.get("src") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => usage("name the folder"),
    }
}

fn is_on_a_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}

/// The outcome of a collection, to be shown.
struct GcReport<'a> {
    args: &'a GcArgs,
    collected: &'a Collected,
    is_dry: bool,
}

impl GcReport<'_> {
    fn write(&self, out: &mut dyn Write, global: &GlobalArgs) -> io::Result<()> {
        let Self { collected, is_dry, .. } = self;
        if *is_dry {
            let blobs = first_lines(&collected.blobs, "blob", global, |blob| {
                format!("  {:>10}  {}", size(blob.size), blob.digest)
            });
            let leftovers = first_lines(&collected.leftovers, "upload leftover", global, |leftover| {
                let path = leftover.path.display().to_string();
                format!("  {:>10}  {}", size(leftover.bytes), printable(&path))
            });
            blobs.iter().chain(&leftovers).try_for_each(|line| writeln!(out, "{line}"))?;
        }
        if global.quiet && !is_dry {
            return Ok(());
        }
        writeln!(out, "{}", self.summary())
    }

    fn summary(&self) -> String {
        let Self { args, collected, is_dry } = self;
        let mut deleted = vec![blobs(collected.deleted())];
        if !collected.leftovers.is_empty() {
            let leftovers = count(collected.leftovers.len() as u64, "upload leftover");
            deleted.push(format!("{leftovers} ({})", size(self.leftover_bytes())));
        }
        let done = if *is_dry { "would be deleted" } else { "deleted" };
        let mut text = format!("{}: {} {done}", printable(&args.folder), deleted.join(" and "));
        text.push_str(&format!("; {} named", blobs(collected.named)));
        if collected.young.blobs > 0 {
            let age = duration(args.older_than);
            text.push_str(&format!(
                "; {} kept, younger than {age} or named by a younger one",
                blobs(collected.young)
            ));
        }
        if collected.deferred.blobs > 0 {
            let why = match &collected.upload {
                Some(upload) => {
                    let upload = upload.display().to_string();
                    format!("another program may be writing to the folder ({})", printable(&upload))
                }
                None => "a name leads to them by now".to_owned(),
            };
            text.push_str(&format!("; {} kept, because {why}", blobs(collected.deferred)));
        }
        text
    }

    fn json(&self) -> Value {
        let Self { args, collected, is_dry } = self;
        let tally = |tally: Tally| json!({"blobs": tally.blobs, "bytes": tally.bytes});
        let deleted: Vec<Value> = collected
            .blobs
            .iter()
            .map(|blob| json!({"digest": blob.digest.to_string(), "size": blob.size}))
            .collect();
        let leftovers: Vec<Value> = collected
            .leftovers
            .iter()
            .map(|leftover| json!({"path": leftover.path.display().to_string(), "bytes": leftover.bytes}))
            .collect();
        json!({
            "folder": args.folder,
            "dryRun": is_dry,
            "deleted": tally(collected.deleted()),
            "deletedBlobs": deleted,
            "leftovers": leftovers,
            "leftoverBytes": self.leftover_bytes(),
            "named": tally(collected.named),
            "young": tally(collected.young),
            "deferred": tally(collected.deferred),
            "upload": collected.upload.as_ref().map(|path| path.display().to_string()),
        })
    }

    fn leftover_bytes(&self) -> u64 {
        self.collected.leftovers.iter().fold(0, |sum, leftover| sum.saturating_add(leftover.bytes))
    }
}

fn blobs(tally: Tally) -> String {
    match tally.blobs {
        0 => "no blob".to_owned(),
        number => format!("{} ({})", count(number, "blob"), size(tally.bytes)),
    }
}
