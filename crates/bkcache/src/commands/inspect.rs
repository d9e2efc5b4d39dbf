//! `bkcache inspect`: what is in a cache, in a few lines, as a tree, or as JSON.

use std::io::Write;

use anstyle::Style;
use cache_import::{ImportWarning, Imported};
use cache_ingest::Provider;
use cache_inputs::LayerOptions;
use cache_report::{Cache, JsonView, RecordNames, Summary, Tree};

use crate::cli::{GlobalArgs, InspectArgs};
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of};
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::{terminal_width, write_text};
use crate::record_names::record_names;
use crate::stores::Stores;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) async fn run(args: &InspectArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let targets: Vec<&str> =
        std::iter::once(args.source.source.as_str()).chain(images_of(&args.build.records)).collect();
    let stores = Stores::for_reading(global, &args.source.registry, &targets)?;
    let read = async move {
        let source = OpenedSource::open(&stores, &args.source.source).await?;
        let imported = source.import(&stores).await?;
        let names = match args.build.records.is_empty() {
            true => None,
            false => Some(names(args, &stores, &source, &imported).await?),
        };
        Ok((source, imported, names))
    };
    let (source, imported, names) = unless_interrupted(read, None, global).await?;
    let caches = views(&imported);
    write_text(|out| match (args.json, args.tree) {
        (true, _) => write_json(out, &source, &caches, &imported.warnings, names.as_ref()),
        (_, true) => write_trees(out, &caches, names.as_ref()),
        _ => write_summaries(out, &source, &caches, names.as_ref()),
    })
}

/// What the records stand for in the builds that the options name.
async fn names(
    args: &InspectArgs,
    stores: &Stores,
    source: &OpenedSource,
    imported: &Imported,
) -> Result<RecordNames, Failure> {
    let options = LayerOptions::default();
    let builds = Builds::read(stores, &args.build, &options.also).await?;
    let mut layers = LayerTrees::default();
    if args.read {
        let blobs = || imported.caches.iter().flat_map(|cache| cache.chains.blobs());
        let provider: &dyn Provider = &*source.target.store;
        let wanted = blobs().map(|blob| &blob.digest);
        layers.read(stores, (provider, blobs()), wanted, &options).await;
    }
    let graphs = imported.caches.iter().map(|cache| cache.chains.graph().doing(|| source.reading()));
    Ok(record_names(&graphs.collect::<Result<Vec<_>, Failure>>()?, &builds, &layers))
}

fn views(imported: &Imported) -> Vec<Cache<'_>> {
    imported.caches.iter().map(|cache| Cache::new(&cache.origin, &cache.config, &cache.layers)).collect()
}

fn write_summaries(
    out: &mut dyn Write,
    source: &OpenedSource,
    caches: &[Cache<'_>],
    names: Option<&RecordNames>,
) -> std::io::Result<()> {
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let mut summary = Summary::of(&source.place(), &source.cache.descriptor, cache);
        if let Some(names) = names {
            summary = summary.with_names(cache, names);
        }
        for (name, value) in summary.with_width(terminal_width()).rows() {
            writeln!(out, "{BOLD}{name}{BOLD:#} {value}")?;
        }
    }
    Ok(())
}

fn write_trees(
    out: &mut dyn Write,
    caches: &[Cache<'_>],
    names: Option<&RecordNames>,
) -> std::io::Result<()> {
    Tree::legend(terminal_width()).lines().try_for_each(|line| writeln!(out, "{DIM}{line}{DIM:#}"))?;
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        if let (Some(image), true) = (cache.origin.image(), caches.len() > 1) {
            writeln!(out, "{BOLD}image {}{BOLD:#}", image.digest)?;
        }
        write!(out, "{}", Tree::of(cache).with_names(names).with_width(terminal_width()))?;
    }
    Ok(())
}

fn write_json(
    out: &mut dyn Write,
    source: &OpenedSource,
    caches: &[Cache<'_>],
    warnings: &[ImportWarning],
    names: Option<&RecordNames>,
) -> std::io::Result<()> {
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let view = JsonView::new(&source.target.location, &source.cache.descriptor, caches)
        .with_manifest(source.cache.manifest())
        .with_warnings(&warnings)
        .with_names(names);
    write!(out, "{view}")
}
