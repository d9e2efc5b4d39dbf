//! The last part of every export: layers, then the config, then the manifest, then its name.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use cache_format::{BUILDKIT_IMPORT_LIMIT, BuiltManifest, Form};
use cache_ingest::{
    CopyOptions, ErrorKind, Event, Expect, Ingester, Name, Progress, Provider, Publisher, Side, Step, Stored,
    Summary, Tally, copy_all, copy_bytes,
};
use cache_model::Descriptor;

use crate::{ExportError, ExportWarning};

/// Where a cache goes.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// Takes the blobs.
    pub ingester: &'a dyn Ingester,
    /// Takes the manifest and names it.
    pub publisher: &'a dyn Publisher,
    /// The name to give it.
    pub name: &'a Name,
    /// What the name has to stand for before.
    pub expect: Expect,
}

/// How chains are read when they are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// By BuildKit's rule, in the order of the adds: [`CacheChains::graph`](cache_model::CacheChains::graph).
    #[default]
    ByOrder,
    /// Closed, so that the order of the adds does not matter:
    /// [`CacheChains::close`](cache_model::CacheChains::close).
    Closed,
}

/// How a cache is exported.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The form of the manifest.
    pub form: Form,
    /// How the chains are read.
    pub reading: Reading,
    /// How many blobs are copied at once, and how often they are tried again.
    pub copy: CopyOptions,
}

/// What an export gave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Exported {
    /// The descriptor of the manifest; `None` where there was nothing to export.
    pub manifest: Option<Descriptor>,
    /// The descriptor of the config.
    pub config: Option<Descriptor>,
    /// What became of the blobs, the config among them.
    pub blobs: Summary,
    /// What was left out or looks wrong.
    pub warnings: Vec<ExportWarning>,
}

impl Exported {
    /// What BuildKit gives back of a cache export: `cache.manifest` is the descriptor of the manifest as JSON. Empty
    /// where nothing was exported.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let manifest =
            self.manifest.as_ref().map(|descriptor| String::from_utf8_lossy(&descriptor.json()).into_owned());
        manifest.into_iter().map(|text| ("cache.manifest".to_owned(), text)).collect()
    }

    /// Notes a warning, and tells it.
    pub(crate) fn warn(&mut self, warning: ExportWarning, progress: &dyn Progress) {
        progress.event(&Event::Warning { message: &warning.to_string() });
        self.warnings.push(warning);
    }
}

/// A cache that is ready to be stored.
pub(crate) struct Ready {
    pub(crate) form: Form,
    /// The layers; a blob may stand several times.
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) config: (Descriptor, Bytes),
    pub(crate) manifest: BuiltManifest,
}

/// Stores a cache and names it, in the only order that never names what is not there.
///
/// Where the name stands for this manifest already, nothing is asked about the blobs. A store that turns out to lack
/// some when the manifest comes, as one does that collects garbage meanwhile, is given all that it lacks once more.
pub(crate) async fn publish(
    ready: Ready,
    provider: &dyn Provider,
    to: &Destination<'_>,
    options: &CopyOptions,
    progress: &dyn Progress,
    exported: &mut Exported,
) -> Result<(), ExportError> {
    for (what, size) in [("config", ready.config.0.size), ("manifest", ready.manifest.descriptor.size)] {
        if size > BUILDKIT_IMPORT_LIMIT {
            exported.warn(ExportWarning::TooLargeForBuildKit { what, size }, progress);
        }
    }
    let step = if ready.form == Form::Manifest { Step::ImageManifest } else { Step::Manifest };
    let stored = if is_published(&ready, to).await? {
        exported.blobs = already_present(&ready);
        let blobs = exported.blobs.total();
        progress.event(&Event::Planned { blobs: blobs.blobs, bytes: blobs.bytes });
        progress.event(&Event::Started { step, descriptor: &ready.manifest.descriptor });
        Stored::AlreadyPresent
    } else {
        exported.blobs = store(&ready, provider, to, options, progress).await?;
        let mut named = name(&ready, step, to, progress).await;
        if matches!(&named, Err(error) if error.kind() == ErrorKind::Incomplete) {
            let again = store(&ready, provider, to, options, progress).await?;
            exported.blobs = after_all(exported.blobs, again);
            named = name(&ready, step, to, progress).await;
        }
        named.map_err(failed)?;
        Stored::Stored
    };
    progress.event(&Event::Finished { step, descriptor: &ready.manifest.descriptor, stored });
    exported.manifest = Some(ready.manifest.descriptor);
    exported.config = Some(ready.config.0);
    Ok(())
}

/// Whether there is nothing to do. With an expectation that this manifest does not meet, that is for the publisher to say.
async fn is_published(ready: &Ready, to: &Destination<'_>) -> Result<bool, ExportError> {
    let descriptor = &ready.manifest.descriptor;
    match to.expect {
        Expect::Any => {}
        Expect::Digest(expected) if expected == descriptor.digest => {}
        Expect::Absent | Expect::Digest(_) => return Ok(false),
    }
    to.publisher.is_published(to.name, descriptor).await.map_err(failed)
}

/// The blobs of a cache that is there.
fn already_present(ready: &Ready) -> Summary {
    let mut seen = HashSet::new();
    let mut summary = Summary::default();
    for blob in ready.layers.iter().chain([&ready.config.0]) {
        if seen.insert(blob.digest) {
            summary.count(Stored::AlreadyPresent, blob.size);
        }
    }
    summary
}

/// Stores layers and config.
async fn store(
    ready: &Ready,
    provider: &dyn Provider,
    to: &Destination<'_>,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<Summary, ExportError> {
    let layers = ready.layers.iter().map(|layer| (Step::Layer, layer.clone()));
    let copied = copy_all(layers, provider, to.ingester, options, progress).await;
    let mut summary = copied.map_err(ExportError::Store)?;
    let (config, bytes) = &ready.config;
    progress.event(&Event::Planned {
        blobs: 2,
        bytes: config.size.saturating_add(ready.manifest.descriptor.size),
    });
    let stored = copy_bytes(Step::Config, config, bytes.clone(), to.ingester, options, progress).await;
    summary.count(stored.map_err(ExportError::Store)?, config.size);
    Ok(summary)
}

/// Stores the manifest under its name.
async fn name(
    ready: &Ready,
    step: Step,
    to: &Destination<'_>,
    progress: &dyn Progress,
) -> Result<(), cache_ingest::Error> {
    let BuiltManifest { bytes, descriptor, .. } = &ready.manifest;
    progress.event(&Event::Started { step, descriptor });
    to.publisher.publish(to.name, descriptor, bytes.clone().into(), to.expect).await
}

/// What became of the blobs when some that were said to be there had to be stored after all.
fn after_all(first: Summary, again: Summary) -> Summary {
    let minus = |a: Tally, b: Tally| Tally {
        blobs: a.blobs.saturating_sub(b.blobs),
        bytes: a.bytes.saturating_sub(b.bytes),
    };
    let plus =
        |a: Tally, b: Tally| Tally { blobs: a.blobs + b.blobs, bytes: a.bytes.saturating_add(b.bytes) };
    Summary {
        stored: plus(first.stored, again.stored),
        already_present: minus(first.already_present, again.stored),
        mounted: first.mounted,
    }
}

fn failed(error: cache_ingest::Error) -> ExportError {
    ExportError::Store(error.on(Side::Destination))
}
