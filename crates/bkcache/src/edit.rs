//! Making a new cache of others: sources are read, a command edits their records, and the outcome is written.
//!
//! A command says how the records change. Here the outcome is written, planned or printed.

use std::collections::HashSet;

use cache_edit::EditError;
use cache_export::{ExportError, ExportWarning, Exported, dry_run, salvage};
use cache_format::encode_config;
use cache_ingest::{Error, ErrorKind, Event, Expect};
use cache_model::{CacheChains, Digest, MarshalWarning, count};
use cache_target::Role;

use crate::cli::{EditArgs, GlobalArgs};
use crate::edit_report::{EditOutcome, EditReport, report_edit};
use crate::failure::{Doing, Failure};
use crate::interrupt::{CANCELLING, unless_interrupted};
use crate::metadata_file::MetadataFile;
use crate::open::{OpenedDestination, OpenedSource, in_role, open_source, replaceable};
use crate::output::write_exactly;
use crate::report::{RESUMES, repair_advice, with_a_result};
use crate::shell::quoted;
use crate::sources::{CacheSource, blobs_of, edit_failure, form_of, open_sources, that_name};
use crate::stores::{Stores, opening};

/// Why nothing can be made of caches whose records have no layers.
pub(crate) const NO_RESULT: &str = "the caches have no results";

/// What a command that makes a new cache was asked to do.
pub(crate) struct EditTask<'a> {
    pub(crate) sources: &'a [String],
    pub(crate) destination: &'a str,
    pub(crate) base: Base,
    pub(crate) args: &'a EditArgs,
    pub(crate) global: &'a GlobalArgs,
}

/// Whether the cache that the destination has is edited too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// It is not read. Whatever the destination is, it is replaced.
    Ignored,
    /// It is read if it exists.
    Optional,
    /// It has to exist.
    Required,
}

/// Where a command reads from and writes to that can also replace a cache in place.
pub(crate) struct EditPlaces {
    pub(crate) sources: Vec<String>,
    pub(crate) destination: String,
    pub(crate) base: Base,
}

/// What a command has made of the records of its sources.
pub(crate) struct Edited {
    pub(crate) chains: CacheChains,
    pub(crate) report: EditReport,
}

impl EditPlaces {
    /// The places that the arguments name: sources and a destination, or one cache to replace.
    pub(crate) fn of(args: &EditArgs, in_place: bool) -> Result<Self, Failure> {
        let usage = |text: String| Err(Failure::Usage(text));
        match (in_place, args.caches.as_slice()) {
            (true, [cache]) => {
                Ok(Self { sources: Vec::new(), destination: replaceable(cache)?, base: Base::Required })
            }
            (true, caches) => usage(format!(
                "--in-place replaces one cache, but {} are given; name one, or a destination without --in-place",
                caches.len()
            )),
            (false, [sources @ .., destination]) if !sources.is_empty() => {
                Ok(Self { sources: sources.to_vec(), destination: destination.clone(), base: Base::Ignored })
            }
            (false, caches) => usage(format!(
                "{} is the only cache given; name a destination after it, or replace it with --in-place",
                caches.join(" ")
            )),
        }
    }
}

/// Reads the sources, edits them, and writes or plans the outcome.
///
/// `edit` gets the cache of the destination, if that is read, and then the sources. If another process changes the
/// destination meanwhile, `edit` is called again with what the destination has then.
pub(crate) async fn run(
    task: &EditTask<'_>,
    edit: impl AsyncFn(&[CacheSource], &Stores) -> Result<Edited, Failure>,
) -> Result<(), Failure> {
    let (args, global) = (task.args, task.global);
    let sources = task.sources.iter().map(|text| (text.as_str(), Role::Source));
    let targets: Vec<_> = sources.chain([(task.destination, Role::Destination)]).collect();
    let mut stores = Stores::for_writing(global, &args.registry, &args.write, &targets)?;
    if args.dry_run {
        stores = stores.for_dry_run();
    }
    let metadata = MetadataFile::wanted(&args.write, task.destination)?;
    if args.json && metadata.as_ref().is_some_and(MetadataFile::is_stdout) {
        return Err(Failure::Usage("--json and --metadata-file - both write to standard output".to_owned()));
    }
    let registries = stores.registries.clone();
    let edited = async {
        // The sources are read whole before the destination is opened, so that a broken cache makes no folder.
        let sources = open_sources(&stores, task.sources).await?;
        let edited = match task.base {
            Base::Ignored => Some(edit(&sources, &stores).await?),
            Base::Optional => None,
            Base::Required => {
                // To open a destination makes its folder.
                open_source(&stores, &in_role(task.destination, Role::Source)?).await?;
                None
            }
        };
        let to = OpenedDestination::open(&stores, task.destination, args.form).await?;
        let outcome = match edited {
            Some(edited) => replace(task, &sources, edited, &to, &stores).await,
            None => swap(task, sources, &to, &stores, &edit).await,
        };
        drop(stores);
        report_edit(outcome, &to, args, metadata, global)
    };
    let hint = if args.dry_run { None } else { RESUMES };
    let edited = unless_interrupted(edited, hint, global).await;
    registries.settle(CANCELLING).await;
    edited
}

/// Prints the config of what a command makes of its sources, as if all their blobs existed.
pub(crate) async fn print_config(
    args: &EditArgs,
    global: &GlobalArgs,
    edit: impl AsyncFn(&[CacheSource], &Stores) -> Result<Edited, Failure>,
) -> Result<(), Failure> {
    let targets: Vec<_> = args.caches.iter().map(|text| (text.as_str(), Role::Source)).collect();
    let stores = Stores::for_writing(global, &args.registry, &args.write, &targets)?;
    let config = async {
        let sources = open_sources(&stores, &args.caches).await?;
        let edited = edit(&sources, &stores).await?;
        let marshalled = edited.chains.marshal(&|_| true);
        let marshalled = marshalled.map_err(|error| edit_failure(EditError::Read(error), &sources))?;
        Ok(encode_config(&marshalled.config))
    };
    let config = unless_interrupted(config, None, global).await?;
    drop(stores);
    write_exactly(&config)
}

/// Writes what is made of the sources, whatever the destination has.
async fn replace(
    task: &EditTask<'_>,
    sources: &[CacheSource],
    edited: Edited,
    to: &OpenedDestination,
    stores: &Stores,
) -> Result<EditOutcome, Failure> {
    let attempt = EditAttempt { to, stores, is_dry: task.args.dry_run, expect: Expect::Any };
    attempt.write(sources, edited).await?.doing(|| writing(to))
}

/// Writes what is made of the sources and of what the destination has, until the outcome stands there.
async fn swap(
    task: &EditTask<'_>,
    mut caches: Vec<CacheSource>,
    to: &OpenedDestination,
    stores: &Stores,
    edit: &impl AsyncFn(&[CacheSource], &Stores) -> Result<Edited, Failure>,
) -> Result<EditOutcome, Failure> {
    let is_dry = task.args.dry_run;
    let mut swap = to.swap(&stores.job);
    loop {
        caches.retain(|cache| !cache.is_base);
        match swap.begin().await.doing(|| writing(to))? {
            Some(resolved) => {
                let base = CacheSource::of_destination(stores, to, &resolved, task.destination).await?;
                check_replaceable(&base, to)?;
                caches.insert(0, base);
            }
            None if task.base == Base::Required => {
                // The error says what is missing.
                OpenedSource::of(stores, to.target().clone(), task.destination).await?;
            }
            None => {}
        }
        let attempt = EditAttempt { to, stores, is_dry, expect: swap.expect() };
        let written = attempt.write(&caches, edit(&caches, stores).await?).await?;
        let (published, outcome) = match written {
            Ok(outcome) => match &outcome.exported.manifest {
                Some(manifest) if !is_dry => (Ok(manifest.digest), Some(outcome)),
                _ => return Ok(outcome),
            },
            Err(error) => (Err(conflict(error).doing(|| writing(to))?), None),
        };
        let stands = swap.end(published).await.doing(|| writing(to))?;
        if let Some(outcome) = outcome.filter(|_| stands) {
            return Ok(EditOutcome { attempts: swap.attempts(), ..outcome });
        }
    }
}

/// An attempt to write the outcome of an edit.
struct EditAttempt<'a> {
    to: &'a OpenedDestination,
    stores: &'a Stores,
    /// Whether the outcome is planned and not written.
    is_dry: bool,
    expect: Expect,
}

impl EditAttempt<'_> {
    /// Writes or plans what was made of these caches. The inner error is that of writing.
    async fn write(
        &self,
        caches: &[CacheSource],
        Edited { chains, report }: Edited,
    ) -> Result<Result<EditOutcome, ExportError>, Failure> {
        let (to, job) = (self.to, &self.stores.job);
        let form = to.form.or_else(|| form_of(caches));
        let destination = to.destination().with_form(form).with_expect(self.expect);
        let provider = blobs_of(caches);
        let exported = match self.is_dry {
            true => dry_run(&chains, &provider, &destination, &*to.target().store, job).await,
            false => salvage(&chains, &provider, &destination, job).await,
        };
        let exported = match exported {
            Ok(exported) => exported,
            Err(error) => return Ok(Err(error)),
        };
        warn_of_missing(&exported, caches, self.stores);
        let verify = || {
            let source = caches.first().map_or("SRC".to_owned(), |cache| quoted(&cache.text));
            format!("`bkcache verify {source}` lists what is missing")
        };
        let exported = with_a_result(exported, &chains, to, verify)?;
        let caches = caches.iter().map(|cache| (cache.text.clone(), cache.totals)).collect();
        Ok(Ok(EditOutcome { exported, report, caches, attempts: 1 }))
    }
}

/// The failure of an edit that would leave no result: nothing could be written, and a tag would silently keep what it has.
pub(crate) fn nothing_left(destination: &str, why: String, hint: Option<String>) -> Failure {
    let doing = format!("nothing was written to {destination}");
    Failure::Failed { doing, kind: ErrorKind::NotFound, error: anyhow::anyhow!(why), hint }
}

/// The clause that an error of writing begins with.
fn writing(to: &OpenedDestination) -> String {
    opening(&to.place(), Role::Destination)
}

/// The conflict of a publish, which another attempt may resolve; any other error as it is.
fn conflict(error: ExportError) -> Result<Error, ExportError> {
    match error {
        ExportError::Write { error, .. } if error.kind() == ErrorKind::Conflict => Ok(error),
        error => Err(error),
    }
}

/// Refuses to replace an image by a cache, unless the user has said what to write.
fn check_replaceable(base: &CacheSource, to: &OpenedDestination) -> Result<(), Failure> {
    if base.form().is_some() || to.form.is_some() {
        return Ok(());
    }
    Err(Failure::Failed {
        doing: writing(to),
        kind: ErrorKind::Unsupported,
        error: anyhow::anyhow!(
            "it is an image with a cache inside, and the new cache would replace the image"
        ),
        hint: Some("name another tag, or say with --form what to write".to_owned()),
    })
}

/// Says how to repair the sources that name blobs which are missing or damaged.
fn warn_of_missing(exported: &Exported, caches: &[CacheSource], stores: &Stores) {
    let missing = |warning: &ExportWarning| match warning {
        ExportWarning::Marshal(MarshalWarning::IncompleteResult { missing, .. }) => Some(*missing),
        ExportWarning::DamagedBlob { digest, .. } => Some(*digest),
        _ => None,
    };
    let missing: HashSet<Digest> = exported.warnings.iter().filter_map(missing).collect();
    let named_by = that_name(caches, &missing);
    let Some(first) = named_by.first() else { return };
    let (blobs, places) = (count(missing.len() as u64, "blob"), named_by.join(" and "));
    let is_damaged = |warning: &ExportWarning| matches!(warning, ExportWarning::DamagedBlob { .. });
    let read = exported.warnings.iter().any(is_damaged).then_some("--read");
    let source = if named_by.len() == 1 { first } else { "SRC" };
    let advice = repair_advice(["--in-place"].into_iter().chain(read).chain([source]));
    let message = format!("{blobs} missing or damaged in {places}; {advice}");
    stores.job.event(&Event::Warning { message: &message });
}
