//! The last part of every export: layers, then the config, then the manifest, then its name.

use std::collections::BTreeMap;

use bytes::Bytes;
use cache_format::{BUILDKIT_IMPORT_LIMIT, BuiltManifest, Form};
use cache_ingest::{
    CopyOptions, Event, Expect, Ingester, Name, Progress, Provider, Publisher, Step, Stored, Summary,
    copy_all, copy_bytes,
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
    let layers = ready.layers.into_iter().map(|layer| (Step::Layer, layer));
    exported.blobs =
        copy_all(layers, provider, to.ingester, options, progress).await.map_err(ExportError::Store)?;

    let (config, bytes) = ready.config;
    progress.event(&Event::Planned {
        blobs: 2,
        bytes: config.size.saturating_add(ready.manifest.descriptor.size),
    });
    let stored = copy_bytes(Step::Config, &config, bytes, to.ingester, options, progress).await;
    exported.blobs.count(stored.map_err(ExportError::Store)?, config.size);

    let step = if ready.form == Form::Manifest { Step::ImageManifest } else { Step::Manifest };
    let BuiltManifest { bytes, descriptor, .. } = ready.manifest;
    progress.event(&Event::Started { step, descriptor: &descriptor });
    let published = to.publisher.publish(to.name, &descriptor, bytes.into(), to.expect).await;
    published.map_err(|error| ExportError::Store(error.on(cache_ingest::Side::Destination)))?;
    progress.event(&Event::Finished { step, descriptor: &descriptor, stored: Stored::Stored });
    exported.manifest = Some(descriptor);
    exported.config = Some(config);
    Ok(())
}
