//! `bkcache copy`: a cache from one place to another, every byte kept, in another form, or in canonical order.

use cache_export::{ExistingCache, Exported, republish, salvage};
use cache_import::{Imported, OpenedCache};
use cache_model::Rule;
use cache_target::Role;

use crate::cli::{CopyArgs, GlobalArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::{CANCELLING, unless_interrupted};
use crate::labels::copy_labels;
use crate::metadata_file::MetadataFile;
use crate::open::{OpenedDestination, OpenedSource};
use crate::report::{RESUMES, repair_advice, report_export, with_a_result};
use crate::shell::quoted;
use crate::stores::Stores;

pub(crate) async fn run(args: &CopyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let targets = [(args.source.source.as_str(), Role::Source), (&args.destination, Role::Destination)];
    let stores = Stores::for_writing(global, &args.source.registry, &args.write, &targets)?;
    let metadata = MetadataFile::wanted(&args.write, &args.destination)?;
    let registries = stores.registries.clone();
    let copied = unless_interrupted(copy(args, global, stores, metadata), RESUMES, global).await;
    registries.settle(CANCELLING).await;
    copied
}

async fn copy(
    args: &CopyArgs,
    global: &GlobalArgs,
    stores: Stores,
    metadata: Option<MetadataFile>,
) -> Result<(), Failure> {
    // The source is read whole before the destination is opened, so that a broken cache makes no folder.
    let source = OpenedSource::open(&stores, &args.source.source).await?;
    let imported = source.import(&stores).await?;
    let destination = OpenedDestination::open(&stores, &args.destination, args.form).await?;
    let copied = match existing(&source, &imported).filter(|_| !args.canonical) {
        Some(existing) => {
            let kept = keep(&existing, &source, &destination, &stores).await;
            let repair = || {
                let options = options(args);
                let places = [args.source.source.as_str(), &args.destination];
                repair_advice(options.iter().map(String::as_str).chain(places))
            };
            kept.map_err(|failure| failure.advise_on_source_blobs(repair))
        }
        None => {
            let advice = || format!("`bkcache verify {}` lists what is missing", quoted(&args.source.source));
            rebuild(imported, &source, &destination, &stores, advice).await
        }
    };
    if let Ok(Exported { manifest: Some(manifest), .. }) = &copied {
        copy_labels(&stores, &source, destination.target().referrers.as_deref(), manifest).await;
    }
    drop(stores);
    report_export(copied, &destination, metadata, global)
}

/// The options that a repair needs too, to reach the same registries and to write the same form.
fn options(args: &CopyArgs) -> Vec<String> {
    let form = args.form.iter().flat_map(|form| ["--form".to_owned(), form.name().to_owned()]);
    form.chain(args.source.registry.words()).collect()
}

/// The cache as it is stored; `None` for a cache inside an image.
fn existing<'a>(source: &'a OpenedSource, imported: &'a Imported) -> Option<ExistingCache<'a>> {
    let cache = imported.caches.first().filter(|cache| cache.origin.image().is_none())?;
    let OpenedCache { descriptor, bytes, .. } = &source.cache;
    let existing = ExistingCache::new(descriptor, bytes, source.cache.manifest()?, &cache.config_bytes);
    Some(existing.with_config(&cache.config))
}

/// Copies a cache with its config, and with its manifest unless another form is asked for.
async fn keep(
    existing: &ExistingCache<'_>,
    source: &OpenedSource,
    to: &OpenedDestination,
    stores: &Stores,
) -> Result<Exported, Failure> {
    let copied = republish(existing, &*source.target.store, &to.destination(), &stores.job).await;
    copied.doing(|| format!("cannot copy {}", source.place()))
}

/// Exports the records anew, in canonical order, and in the form of the source unless another is asked for.
async fn rebuild(
    imported: Imported,
    source: &OpenedSource,
    to: &OpenedDestination,
    stores: &Stores,
    advice: impl FnOnce() -> String,
) -> Result<Exported, Failure> {
    let mut chains = imported.into_chains().doing(|| source.reading())?;
    chains.set_rule(Rule::Closed);
    let form = to.form.or(source.cache.manifest().map(|manifest| manifest.form));
    let destination = to.destination().with_form(form);
    let exported = salvage(&chains, &*source.target.store, &destination, &stores.job).await;
    let exported = exported.doing(|| format!("cannot copy {}", source.place()))?;
    with_a_result(exported, &chains, to, advice)
}
