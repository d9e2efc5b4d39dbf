//! `bkcache copy`: a cache from one place to another, every byte kept, in another form, or in canonical order.

use cache_export::{Existing, ExportOptions, Exporter, republish};
use cache_format::CacheOrigin;
use cache_import::Imported;
use cache_ingest::Event;
use cache_model::Rule;

use crate::cli::{Copy, Global};
use crate::commands::env::{Env, Read};
use crate::commands::{GOES_ON, Write, place, report_export, unless_ignored};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;

/// Copies.
pub(crate) async fn run(args: &Copy, global: &Global) -> Result<(), Failure> {
    let (source, destination) = (&args.source.source, &args.destination);
    let env = Env::to_write(global, &args.source.registry, &args.write, Some(source), destination)?;
    unless_interrupted(read_and_copy(args, env), GOES_ON).await
}

async fn read_and_copy(args: &Copy, env: Env<'_>) -> Result<(), Failure> {
    let (source, destination) = (&args.source.source, &args.destination);
    // The source comes first, and whole: a destination should not be made for a cache that makes no sense.
    let read = env.read_source(source).await?;
    let imported = read.cache.import(&*read.target.store, &env.job).await;
    let imported = imported.doing(|| format!("cannot read {}", read.place()))?;
    let to = Write::open(&env, destination, args.form).await?;
    unless_ignored(copy(&read, imported, &to, args, env).await, &to)
}

async fn copy(read: &Read, imported: Imported, to: &Write, args: &Copy, env: Env<'_>) -> Result<(), Failure> {
    let global = env.global;
    for warning in &imported.warnings {
        env.job.event(&Event::Warning { message: &warning.to_string() });
    }
    let copied = match kept(read, &imported).filter(|_| !args.canonical) {
        Some(existing) => {
            republish(&existing, to.form, &*read.target.store, &to.destination(), &env.job).await
        }
        None => {
            let mut chains = imported.into_chains().doing(|| format!("cannot read {}", read.place()))?;
            chains.set_rule(Rule::Closed);
            let exporter = Exporter::with_chains(chains, &*read.target.store);
            exporter.finalize(&to.destination(), &canonical(read, to), &env.job).await
        }
    };
    drop(env);
    let exported = copied.doing(|| format!("cannot copy {}", read.place()))?;
    report_export(&exported, &place(&to.target), args.write.metadata_file.as_deref(), global)
}

/// The cache as it is, where it is one of its own and not inside an image.
fn kept<'a>(read: &'a Read, imported: &'a Imported) -> Option<Existing<'a>> {
    let cache =
        imported.caches.first().filter(|cache| matches!(cache.origin, CacheOrigin::Manifest { .. }))?;
    Some(Existing {
        descriptor: &read.cache.descriptor,
        bytes: &read.cache.bytes,
        manifest: read.cache.manifest.as_ref()?,
        config_bytes: &cache.config_bytes,
        config: &cache.config,
    })
}

/// How the whole way through chains and exporter is taken: in the form that is wanted or was there.
fn canonical(read: &Read, to: &Write) -> ExportOptions {
    let kept = read.cache.manifest.as_ref().map(|manifest| manifest.form);
    ExportOptions { form: to.form.or(kept).unwrap_or_default() }
}
