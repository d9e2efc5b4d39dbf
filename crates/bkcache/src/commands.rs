//! The commands, a file each, and what those that write share.

pub(crate) mod copy;
pub(crate) mod env;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod print;
pub(crate) mod verify;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use cache_export::{Destination, Exported};
use cache_format::Form;
use cache_ingest::{Expect, Name, WriteStore};
use cache_report::text::{count, printable, size};
use cache_target::{Attributes, ExportAttributes, Opened, Role};

use crate::cli::{Global, ProgressMode};
use crate::commands::env::{Env, may_be_an_image};
use crate::failure::{Doing, Failure};

/// Where a target is, for messages.
pub(crate) fn place(target: &Opened) -> String {
    match &target.name {
        Name::Unspecified => target.location.clone(),
        Name::Tag(tag) => format!("{}:{tag}", target.location),
        Name::Digest(digest) => format!("{}@{digest}", target.location),
    }
}

/// What to say where writing was interrupted: blobs that are there are not copied again.
const GOES_ON: Option<&str> = Some("the same command goes on where it was");

/// A destination that the user named, and the form that is to be written.
pub(crate) struct Write {
    pub(crate) target: Opened,
    store: Arc<dyn WriteStore>,
    pub(crate) form: Option<Form>,
}

impl Write {
    /// Opens a destination. What was typed is checked first, so that no folder is made for nothing.
    pub(crate) async fn open(env: &Env<'_>, text: &str, form: Option<Form>) -> Result<Self, Failure> {
        let doing = || format!("cannot write to {text}");
        let attributes = Attributes::parse(text, Role::Destination).doing(doing)?;
        let form = wanted_form(form, &ExportAttributes::of(&attributes).doing(doing)?)?;
        let note = note_of_a_folder(text, &attributes).filter(|_| says_notes(env.global));
        let target = env.targets.open_attributes(&attributes, Role::Destination).await.doing(doing)?;
        if let Some(note) = note {
            let _ = writeln!(anstream::stderr(), "note: {}", printable(&note));
        }
        match target.writer.clone() {
            Some(store) => Ok(Self { target, store, form }),
            None => Err(Failure::Usage(format!("{}: it can only be read", doing()))),
        }
    }

    pub(crate) fn destination(&self) -> Destination<'_> {
        Destination { store: &*self.store, name: &self.target.name, expect: Expect::Any }
    }
}

/// What to say of a folder that is about to be made, where docker would take its name for that of an image.
fn note_of_a_folder(text: &str, attributes: &Attributes) -> Option<String> {
    let path = attributes.get("dest")?;
    let (first, _) = path.split_once('/')?;
    let is_new = !Path::new(first).exists();
    (is_new && may_be_an_image(text))
        .then(|| format!("{path} is a folder; for the registry write docker.io/{text}"))
}

/// Whether notes are wanted on standard error, which belongs to the events where they come as JSON.
fn says_notes(global: &Global) -> bool {
    !global.quiet && global.progress != ProgressMode::Json
}

/// The form that option and attributes ask for, which must not contradict each other; `None` where neither does.
fn wanted_form(option: Option<Form>, attributes: &ExportAttributes) -> Result<Option<Form>, Failure> {
    let ExportAttributes { image_manifest, oci_mediatypes, .. } = *attributes;
    if image_manifest.is_none() && oci_mediatypes.is_none() {
        return Ok(option);
    }
    let by_attributes = Form::from_attributes(image_manifest, oci_mediatypes)
        .doing(|| "cannot write that form".to_owned())?;
    match option {
        Some(form) if form != by_attributes => Err(Failure::Usage(format!(
            "--form {form} contradicts the destination's attributes, which ask for the form {by_attributes}"
        ))),
        _ => Ok(Some(by_attributes)),
    }
}

/// What an export came to, unless `ignore-error` says that its failure fails nothing.
pub(crate) fn unless_ignored(result: Result<(), Failure>, to: &Write) -> Result<(), Failure> {
    match result {
        Err(failure @ Failure::Failed { .. }) if to.target.export.ignore_error => {
            let line = failure.line().unwrap_or_default();
            let _ = writeln!(anstream::stderr(), "warning: {line}; ignored, as ignore-error=true");
            Ok(())
        }
        result => result,
    }
}

/// Says what an export gave, and writes its metadata.
pub(crate) fn report_export(
    exported: &Exported,
    place: &str,
    metadata_file: Option<&Path>,
    global: &Global,
) -> Result<(), Failure> {
    if let Some(path) = metadata_file {
        let text = serde_json::json!(exported.metadata()).to_string();
        write_text(path, &text)
            .doing(|| format!("{place} is written, but its metadata cannot be, to {}", path.display()))?;
    }
    if global.quiet || metadata_file == Some(Path::new("-")) {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    let written = match &exported.manifest {
        None => writeln!(out, "skipping cache export for empty result"),
        Some(manifest) => {
            let blobs = &exported.blobs;
            let tally = |tally: cache_ingest::Tally| {
                format!("{} ({})", count(tally.blobs, "blob"), size(tally.bytes))
            };
            let mounted = if blobs.mounted.blobs > 0 {
                format!(", {} mounted", tally(blobs.mounted))
            } else {
                String::new()
            };
            writeln!(
                out,
                "{place}: {}\n{} copied, {} already there{mounted}",
                manifest.digest,
                tally(blobs.stored),
                tally(blobs.already_present),
            )
        }
    };
    written.doing(|| "cannot write to standard output".to_owned())
}

fn write_text(path: &Path, text: &str) -> std::io::Result<()> {
    if path == Path::new("-") {
        writeln!(std::io::stdout().lock(), "{text}")
    } else {
        std::fs::write(path, text)
    }
}

/// Writes bytes to standard output, exactly.
pub(crate) fn write_exactly(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).doing(|| "cannot write to standard output".to_owned())
}
