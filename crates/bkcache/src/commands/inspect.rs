//! `bkcache inspect`: what is in a cache, in a few lines, as a tree, or as JSON.

use std::io::Write;

use anstyle::Style;
use cache_import::{ImportWarning, Imported};
use cache_report::{Cache, JsonView, Summary, Tree};

use crate::cli::{GlobalArgs, InspectArgs};
use crate::failure::Failure;
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::{terminal_width, write_text};
use crate::stores::Stores;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) async fn run(args: &InspectArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &[&args.source.source])?;
    let read = async move {
        let source = OpenedSource::open(&stores, &args.source.source).await?;
        let imported = source.import(&stores).await?;
        Ok((source, imported))
    };
    let (source, imported) = unless_interrupted(read, None, global).await?;
    let caches = views(&imported);
    write_text(|out| match (args.json, args.tree) {
        (true, _) => write_json(out, &source, &caches, &imported.warnings),
        (_, true) => write_trees(out, &caches),
        _ => write_summaries(out, &source, &caches),
    })
}

fn views(imported: &Imported) -> Vec<Cache<'_>> {
    imported.caches.iter().map(|cache| Cache::new(&cache.origin, &cache.config, &cache.layers)).collect()
}

fn write_summaries(out: &mut dyn Write, source: &OpenedSource, caches: &[Cache<'_>]) -> std::io::Result<()> {
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let summary = Summary::of(&source.place(), &source.cache.descriptor, cache);
        for (name, value) in summary.with_width(terminal_width()).rows() {
            writeln!(out, "{BOLD}{name}{BOLD:#} {value}")?;
        }
    }
    Ok(())
}

fn write_trees(out: &mut dyn Write, caches: &[Cache<'_>]) -> std::io::Result<()> {
    Tree::legend(terminal_width()).lines().try_for_each(|line| writeln!(out, "{DIM}{line}{DIM:#}"))?;
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        if let (Some(image), true) = (cache.origin.image(), caches.len() > 1) {
            writeln!(out, "{BOLD}image {}{BOLD:#}", image.digest)?;
        }
        write!(out, "{}", Tree::of(cache).with_width(terminal_width()))?;
    }
    Ok(())
}

fn write_json(
    out: &mut dyn Write,
    source: &OpenedSource,
    caches: &[Cache<'_>],
    warnings: &[ImportWarning],
) -> std::io::Result<()> {
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let view = JsonView::new(&source.target.location, &source.cache.descriptor, caches)
        .with_manifest(source.cache.manifest())
        .with_warnings(&warnings);
    write!(out, "{view}")
}
