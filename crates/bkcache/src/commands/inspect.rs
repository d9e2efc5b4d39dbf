//! `bkcache inspect`: what is in a cache, in a few lines, as a tree, or as JSON.

use std::io::{BufWriter, Write};

use anstyle::Style;
use cache_format::CacheOrigin;
use cache_import::{ImportWarning, Imported};
use cache_model::Graph;
use cache_report::text::printable;
use cache_report::{Cache, JsonView, Summary, Tree};

use crate::cli::{Global, Inspect};
use crate::commands::env::{Env, Read};
use crate::failure::{Doing, Failure};

const BOLD: Style = Style::new().bold();

/// Inspects.
pub(crate) async fn run(args: &Inspect, global: &Global) -> Result<(), Failure> {
    let env = Env::to_read(global, &args.source.registry, &args.source.source)?;
    let read = env.read_source(&args.source.source).await?;
    let imported = read.cache.import(&*read.target.store, &env.job).await;
    let imported = imported.doing(|| format!("cannot read {}", read.place()))?;
    let graphs = imported.caches.iter().map(|cache| cache.chains.graph()).collect::<Result<Vec<_>, _>>();
    let graphs = graphs.doing(|| format!("cannot read {}", read.place()))?;
    let caches = views(&imported, &graphs);
    let mut out = BufWriter::new(anstream::stdout().lock());
    let written = if args.json {
        write_json(&mut out, &read, &caches, &imported.warnings)
    } else {
        let written = if args.tree {
            write_trees(&mut out, &caches)
        } else {
            write_summaries(&mut out, &read, &caches)
        };
        written.and_then(|()| write_warnings(&mut out, &imported.warnings))
    };
    written.and_then(|()| out.flush()).doing(|| "cannot write to standard output".to_owned())
}

fn views<'a>(imported: &'a Imported, graphs: &'a [Graph<'a>]) -> Vec<Cache<'a>> {
    let each = imported.caches.iter().zip(graphs);
    each.map(|(cache, graph)| Cache {
        origin: &cache.origin,
        config: &cache.config,
        layers: &cache.layers,
        graph,
    })
    .collect()
}

fn write_summaries(out: &mut dyn Write, read: &Read, caches: &[Cache<'_>]) -> std::io::Result<()> {
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        for (name, value) in Summary::of(&read.place(), &read.cache.descriptor, cache).rows() {
            writeln!(out, "{BOLD}{name}{BOLD:#} {value}")?;
        }
    }
    Ok(())
}

fn write_trees(out: &mut dyn Write, caches: &[Cache<'_>]) -> std::io::Result<()> {
    for (n, cache) in caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        if let (CacheOrigin::Inline { image, .. }, true) = (cache.origin, caches.len() > 1) {
            writeln!(out, "{BOLD}image {}{BOLD:#}", image.digest)?;
        }
        write!(out, "{}", Tree::of(cache.graph))?;
    }
    Ok(())
}

fn write_warnings(out: &mut dyn Write, warnings: &[ImportWarning]) -> std::io::Result<()> {
    warnings.iter().try_for_each(|warning| writeln!(out, "warning: {}", printable(&warning.to_string())))
}

fn write_json(
    out: &mut dyn Write,
    read: &Read,
    caches: &[Cache<'_>],
    warnings: &[ImportWarning],
) -> std::io::Result<()> {
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let view = JsonView {
        location: &read.target.location,
        descriptor: &read.cache.descriptor,
        manifest: read.cache.manifest.as_ref(),
        warnings: &warnings,
        caches,
    };
    write!(out, "{view}")
}
