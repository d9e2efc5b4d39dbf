//! The commands, a file each, and what they share: opening what the user named.

pub(crate) mod copy;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod print;
pub(crate) mod verify;

use std::io::Write;
use std::path::Path;

use cache_export::Exported;
use cache_format::Form;
use cache_import::{ImportOptions, OpenedCache};
use cache_ingest::Name;
use cache_target::{ExportAttributes, Opened, Role, Targets};

use crate::cli::Global;
use crate::display::{count, size};
use crate::failure::{Doing, Failure};

/// A source that the user named, and the manifest in it.
pub(crate) struct Read {
    pub(crate) target: Opened,
    pub(crate) cache: OpenedCache,
    pub(crate) options: ImportOptions,
}

impl Read {
    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        place(&self.target)
    }
}

/// Where a target is, for messages.
pub(crate) fn place(target: &Opened) -> String {
    match &target.name {
        Name::Unspecified => target.location.clone(),
        Name::Tag(tag) => format!("{}:{tag}", target.location),
        Name::Digest(digest) => format!("{}@{digest}", target.location),
    }
}

pub(crate) fn import_options(global: &Global) -> ImportOptions {
    let mut options = ImportOptions::default();
    options.max_metadata_size = global.max_metadata_size;
    options
}

/// Opens a source.
pub(crate) async fn open_source(text: &str) -> Result<Opened, Failure> {
    Targets::with_local().open(text, Role::Source).await.doing(|| format!("cannot open {text}"))
}

/// Opens a source and reads the manifest that it names.
pub(crate) async fn read_source(text: &str, global: &Global) -> Result<Read, Failure> {
    let target = open_source(text).await?;
    let options = import_options(global);
    let cache = cache_import::open(&*target.provider, &*target.resolver, &target.name, &options)
        .await
        .doing(|| format!("cannot read {}", place(&target)))?;
    Ok(Read { target, cache, options })
}

/// Opens a destination.
pub(crate) async fn open_destination(text: &str) -> Result<Opened, Failure> {
    let opened = Targets::with_local().open(text, Role::Destination).await;
    opened.doing(|| format!("cannot write to {text}"))
}

/// The form that option and attributes ask for, which must not contradict each other; `None` where neither does.
pub(crate) fn wanted_form(
    option: Option<Form>,
    attributes: &ExportAttributes,
) -> Result<Option<Form>, Failure> {
    let ExportAttributes { image_manifest, oci_mediatypes, .. } = *attributes;
    if image_manifest.is_none() && oci_mediatypes.is_none() {
        return Ok(option);
    }
    let by_attributes =
        Form::from_attributes(image_manifest, oci_mediatypes).doing(|| "cannot write that form".to_owned())?;
    match option {
        Some(form) if form != by_attributes => Err(Failure::Usage(format!(
            "--form {form} contradicts the destination's attributes, which ask for the form {by_attributes}"
        ))),
        _ => Ok(Some(by_attributes)),
    }
}

/// Runs an export, unless `ignore-error` says that its failure fails nothing.
pub(crate) fn unless_ignored(
    result: Result<(), Failure>,
    attributes: &ExportAttributes,
) -> Result<(), Failure> {
    match result {
        Err(failure @ Failure::Failed { .. }) if attributes.ignore_error => {
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
        write_text(path, &text).doing(|| format!("cannot write {}", path.display()))?;
    }
    if global.quiet || metadata_file == Some(Path::new("-")) {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    let written = match &exported.manifest {
        None => writeln!(out, "skipping cache export for empty result"),
        Some(manifest) => {
            let blobs = &exported.blobs;
            let tally = |tally: cache_ingest::Tally| format!("{} ({})", count(tally.blobs, "blob"), size(tally.bytes));
            let mounted =
                if blobs.mounted.blobs > 0 { format!(", {} mounted", tally(blobs.mounted)) } else { String::new() };
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
    if path == Path::new("-") { writeln!(std::io::stdout().lock(), "{text}") } else { std::fs::write(path, text) }
}

/// Writes bytes to standard output, exactly.
pub(crate) fn write_exactly(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).doing(|| "cannot write to standard output".to_owned())
}
