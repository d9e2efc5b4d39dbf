//! `bkcache copy`: a cache from one place to another, every byte kept, in another form, or in canonical order.

use cache_export::{Destination, Existing, Exported, Exporter, ExportOptions, Reading, republish};
use cache_format::{Form, decode_config};
use cache_import::Imported;
use cache_ingest::{CopyOptions, Event, Expect, Progress};
use cache_target::Opened;

use crate::cli::{Copy, Global};
use crate::commands::{
    Read, open_destination, place, read_source, report_export, unless_ignored, wanted_form,
};
use crate::failure::{Doing, Failure};
use crate::progress::reporter;

/// Copies.
pub(crate) async fn run(args: &Copy, global: &Global) -> Result<(), Failure> {
    // The source first: a destination is made, and should not be for nothing.
    let read = read_source(&args.source.source, global).await?;
    let job = Job::prepare(args, &read).await?;
    let to = open_destination(&args.destination).await?;
    let form = wanted_form(args.form, &to.export)?;
    let result = copy(&read, &job, form, &to, args, global).await;
    unless_ignored(result, &to.export)
}

/// What is to be done with the source.
enum Job {
    /// Keep the config.
    Keep { config_bytes: bytes::Bytes, config: cache_model::CacheConfig },
    /// Take the whole way through chains.
    Rewrite { imported: Imported },
}

impl Job {
    async fn prepare(args: &Copy, read: &Read) -> Result<Self, Failure> {
        let doing = || format!("cannot read {}", read.place());
        let provider = &*read.target.provider;
        let config_bytes = if args.canonical {
            None
        } else {
            read.cache.config_bytes(provider, &read.options).await.doing(doing)?
        };
        match config_bytes {
            Some(config_bytes) => {
                let config = decode_config(&config_bytes).map_err(|source| {
                    cache_import::ImportError::Format { digest: cache_digest(read), source }
                });
                Ok(Self::Keep { config: config.doing(doing)?, config_bytes })
            }
            None => {
                let imported = read.cache.import(provider, &read.options).await.doing(doing)?;
                Ok(Self::Rewrite { imported })
            }
        }
    }
}

/// The digest of the config, or of the manifest that has none.
fn cache_digest(read: &Read) -> cache_model::Digest {
    read.cache.manifest.as_ref().map_or(read.cache.descriptor.digest, |manifest| manifest.config.digest)
}

async fn copy(
    read: &Read,
    job: &Job,
    form: Option<Form>,
    to: &Opened,
    args: &Copy,
    global: &Global,
) -> Result<(), Failure> {
    let (Some(ingester), Some(publisher)) = (&to.ingester, &to.publisher) else {
        return Err(Failure::Usage(format!("{} cannot be written to", args.destination)));
    };
    let destination =
        Destination { ingester: &**ingester, publisher: &**publisher, name: &to.name, expect: Expect::Any };
    let mut options = CopyOptions::default();
    options.concurrency = usize::from(args.write.jobs);
    let progress = reporter(global);
    let copied = match job {
        Job::Keep { config_bytes, config } => {
            keep(read, config_bytes, config, form, &destination, &options, &*progress).await
        }
        Job::Rewrite { imported } => rewrite(read, imported, form, &destination, options, &*progress).await,
    };
    drop(progress);
    let exported = copied?;
    report_export(&exported, &place(to), args.write.metadata_file.as_deref(), global)
}

async fn keep(
    read: &Read,
    config_bytes: &bytes::Bytes,
    config: &cache_model::CacheConfig,
    form: Option<Form>,
    to: &Destination<'_>,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<Exported, Failure> {
    let Some(manifest) = &read.cache.manifest else { return Ok(Exported::default()) };
    let existing = Existing {
        descriptor: &read.cache.descriptor,
        bytes: &read.cache.bytes,
        manifest,
        config_bytes,
        config,
    };
    let copied = republish(&existing, form, &*read.target.provider, to, options, progress).await;
    copied.doing(|| format!("cannot copy {}", read.place()))
}

async fn rewrite(
    read: &Read,
    imported: &Imported,
    form: Option<Form>,
    to: &Destination<'_>,
    copy: CopyOptions,
    progress: &dyn Progress,
) -> Result<Exported, Failure> {
    for warning in &imported.warnings {
        progress.event(&Event::Warning { message: &warning.to_string() });
    }
    let kept_form = read.cache.manifest.as_ref().map(|manifest| manifest.form);
    let options =
        ExportOptions { form: form.or(kept_form).unwrap_or_default(), reading: Reading::Closed, copy };
    let united = imported.clone().into_chains().doing(|| format!("cannot read {}", read.place()))?;
    let exporter = Exporter::with_chains(united.chains, &*read.target.provider);
    let exported = exporter.finalize(to, &options, progress).await;
    exported.doing(|| format!("cannot copy {}", read.place()))
}
