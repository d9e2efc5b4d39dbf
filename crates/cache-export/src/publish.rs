//! The last part of every export: layers, then the config, then the manifest, which gets its name.
//!
//! Knows nothing of records. Nothing is written before everything that it names.

use std::sync::Arc;
use std::time::Duration;

use cache_format::{BUILDKIT_IMPORT_LIMIT, Form, Packed, PackedBlob};
use cache_ingest::{
    Error, ErrorKind, Event, Expect, Job, Provider, Side, Standing, Step, Stored, Summary, Tally, copy_all,
    copy_bytes,
};

use crate::{Destination, ExportError, ExportWarning, Exported};

/// A cache to be published.
pub(crate) struct Upload<'a> {
    packed: Packed,
    form: Form,
    /// How the writing of the root is reported.
    root_step: Step,
    provider: &'a dyn Provider,
    to: &'a Destination<'a>,
    job: &'a Job,
    /// How the layers came to be in the destination, if they were copied before.
    copied_layers: Option<Summary>,
}

impl<'a> Upload<'a> {
    /// A cache whose layers are read from a provider.
    pub(crate) fn new(
        packed: Packed,
        form: Form,
        provider: &'a dyn Provider,
        to: &'a Destination<'a>,
        job: &'a Job,
    ) -> Self {
        let root_step = if form.is_image_manifest() { Step::ImageManifest } else { Step::Manifest };
        Self { packed, form, root_step, provider, to, job, copied_layers: None }
    }

    /// The same cache, whose layers were copied before.
    pub(crate) fn with_copied_layers(self, copied_layers: Summary) -> Self {
        Self { copied_layers: Some(copied_layers), ..self }
    }

    /// Stores the cache and names it. Nothing is written before everything that it names.
    ///
    /// Each blob is looked for, also if the name points at this root: the store may have lost one. If the store reports
    /// missing blobs when the root is published, for example after a garbage collection, they are stored once more.
    pub(crate) async fn publish(mut self, exported: &mut Exported) -> Result<(), ExportError> {
        self.packed.annotate(self.to.annotations).map_err(ExportError::Format)?;
        let config = self.packed.config().clone();
        warn_of_packed(&self.packed, self.form, exported, self.job);
        let (job, step, root) = (self.job, self.root_step, &self.packed.root.descriptor);
        // First, so that a refusal ends it before many requests are made.
        let standing = self.standing().await?;
        let (blobs, mut config_stored) = self.store(job, self.copied_layers).await?;
        exported.blobs = blobs;
        let begun = job.begin(step, root);
        // A root that named a missing blob is published again, so that the store can check it.
        if standing == Standing::Published && exported.blobs.already_present == exported.blobs.total() {
            begun.finish(Stored::AlreadyPresent);
            exported.manifest_stored = Some(Stored::AlreadyPresent);
        } else {
            match self.publish_root(&mut exported.blobs, &mut config_stored).await {
                Ok(()) => begun.finish(Stored::Stored),
                Err(failed) => {
                    if let Some(error) = failed.store_error() {
                        begun.fail(error);
                    }
                    return Err(failed);
                }
            }
        }
        exported.replaced = match (standing, self.to.expect) {
            (Standing::Other(before), _) => Some(before),
            (_, Expect::Digest(before)) => Some(before).filter(|before| *before != root.digest),
            _ => None,
        };
        exported.manifest_stored.get_or_insert(Stored::Stored);
        exported.config_stored = Some(config_stored);
        exported.manifest = Some(self.packed.root.descriptor);
        exported.config = Some(config);
        Ok(())
    }

    /// What the name stands for. If `expect` rules out this root, the publisher reports the conflict.
    async fn standing(&self) -> Result<Standing, ExportError> {
        let root = &self.packed.root.descriptor;
        match self.to.expect {
            Expect::Any => {}
            Expect::Digest(expected) if expected == root.digest => {}
            Expect::Absent | Expect::Digest(_) => return Ok(Standing::Unknown),
        }
        let standing = self.to.store.standing(self.to.name, root).await;
        standing.map_err(|error| {
            let error = error.on(Side::Destination);
            self.job.begin(self.root_step, root).fail(&error);
            ExportError::write(self.root_step, error)
        })
    }

    /// Stores everything below the root: the layers several at a time, unless they were copied before, then the metadata in
    /// order. Also returns how the config came to be in the destination.
    async fn store(
        &self,
        job: &Job,
        copied_layers: Option<Summary>,
    ) -> Result<(Summary, Stored), ExportError> {
        let Self { packed, provider, to, .. } = self;
        let mut summary = match copied_layers {
            Some(copied) => copied,
            None => {
                let layers = packed.layers.iter().map(|layer| (Step::Layer, layer.clone()));
                let copied = copy_all(layers, *provider, to.store, job).await;
                copied.map_err(|error| ExportError::write(Step::Layer, error))?
            }
        };
        let mut config_stored = Stored::AlreadyPresent;
        for PackedBlob { descriptor, bytes, .. } in &packed.metadata {
            let stored = copy_bytes(Step::Config, descriptor, bytes.clone(), to.store, job).await;
            config_stored = stored.map_err(|error| ExportError::write(Step::Config, error))?;
            summary.count(config_stored, descriptor.size);
        }
        Ok((summary, config_stored))
    }

    /// Stores everything below the root once more, as a part of the root's second attempt: these blobs had their events.
    async fn store_again(&self, error: &Error) -> Result<(Summary, Stored), ExportError> {
        let root = &self.packed.root.descriptor;
        let request = format!("publish {}", root.digest);
        let (restarted, attempt, wait) = (Some(root), 2, Duration::ZERO);
        self.job.event(&Event::Retrying { request: &request, restarted, attempt, wait, error });
        let progress = Arc::clone(&self.job.progress);
        let quiet = self.job.clone().with_progress(move |event: &Event<'_>| {
            if matches!(event, Event::Retrying { restarted: None, .. } | Event::Warning { .. }) {
                progress.event(event);
            }
        });
        self.store(&quiet, None).await
    }

    /// Stores the root under its name. If blobs are missing, they are stored once more and counted in `blobs`.
    async fn publish_root(&self, blobs: &mut Summary, config_stored: &mut Stored) -> Result<(), ExportError> {
        let mut published = self.publish_root_once().await;
        if let Err(error) = &published
            && error.kind() == ErrorKind::Incomplete
        {
            let (again, config_again) = self.store_again(error).await?;
            *blobs = with_second_try(*blobs, again);
            if config_again == Stored::Stored {
                *config_stored = config_again;
            }
            published = self.publish_root_once().await;
        }
        published.map_err(|error| ExportError::write(self.root_step, error.on(Side::Destination)))
    }

    async fn publish_root_once(&self) -> Result<(), Error> {
        let PackedBlob { descriptor, bytes, .. } = &self.packed.root;
        self.to.store.publish(self.to.name, descriptor, bytes.clone(), self.to.expect).await
    }
}

/// Warns of layers whose media types are not of the form's dialect, and of documents that BuildKit will not import.
pub(crate) fn warn_of_packed(packed: &Packed, form: Form, exported: &mut Exported, job: &Job) {
    exported.warn(packed.warnings.iter().cloned().map(ExportWarning::MediaType), job);
    let config = (!form.is_inline()).then_some(("config", packed.config().size));
    let limited = config.into_iter().chain([("manifest", packed.root.descriptor.size)]);
    let above = limited.filter(|(_, size)| *size > BUILDKIT_IMPORT_LIMIT);
    exported.warn(above.map(|(what, size)| ExportWarning::TooLargeForBuildKit { what, size }), job);
}

/// The summary of two tries: blobs that were reported present and had to be stored after all count as stored.
fn with_second_try(first: Summary, second: Summary) -> Summary {
    let minus = |a: Tally, b: Tally| Tally {
        blobs: a.blobs.saturating_sub(b.blobs),
        bytes: a.bytes.saturating_sub(b.bytes),
    };
    let plus =
        |a: Tally, b: Tally| Tally { blobs: a.blobs + b.blobs, bytes: a.bytes.saturating_add(b.bytes) };
    Summary {
        stored: plus(first.stored, second.stored),
        already_present: minus(first.already_present, second.stored),
        mounted: first.mounted,
    }
}
