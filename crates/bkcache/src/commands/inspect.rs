//! `bkcache inspect`: what is in a cache, in a few lines, as a tree, or as JSON.

use std::collections::HashMap;
use std::io::{BufWriter, Write};

use anstyle::Style;
use cache_import::{CacheOrigin, Imported, ImportedCache, Inspection};
use cache_model::{Compression, Descriptor, Graph, LayerRef, RecordRef, ResultRef, Timestamp};
use serde_json::{Value, json};

use crate::cli::{Global, Inspect};
use crate::commands::env::{Env, Read};
use crate::display::{count, grouped, printable, size};
use crate::failure::{Doing, Failure};
use crate::tree;

const BOLD: Style = Style::new().bold();

/// Inspects.
pub(crate) async fn run(args: &Inspect, global: &Global) -> Result<(), Failure> {
    let env = Env::to_read(global, &args.source.registry, &args.source.source)?;
    let read = env.read_source(&args.source.source).await?;
    let imported = read.cache.import(&*read.target.provider, &read.options).await;
    let imported = imported.doing(|| format!("cannot read {}", read.place()))?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    let written = if args.json {
        write_json(&mut out, &read, &imported)
    } else if args.tree {
        write_trees(&mut out, &imported)
    } else {
        write_summary(&mut out, &read, &imported)
    };
    written.and_then(|()| out.flush()).doing(|| "cannot write to standard output".to_owned())
}

fn write_trees(out: &mut dyn Write, imported: &Imported) -> std::io::Result<()> {
    for (n, cache) in imported.caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        if let (CacheOrigin::Inline { image, .. }, true) = (&cache.origin, imported.caches.len() > 1) {
            writeln!(out, "{BOLD}image {}{BOLD:#}", image.digest)?;
        }
        tree::write(out, &cache.chains.graph())?;
    }
    write_warnings(out, imported)
}

fn write_warnings(out: &mut dyn Write, imported: &Imported) -> std::io::Result<()> {
    imported
        .warnings
        .iter()
        .try_for_each(|warning| writeln!(out, "warning: {}", printable(&warning.to_string())))
}

fn write_summary(out: &mut dyn Write, read: &Read, imported: &Imported) -> std::io::Result<()> {
    let manifest = &read.cache.descriptor;
    for (n, cache) in imported.caches.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let graph = cache.chains.graph();
        let found = Inspection::of(cache, &graph);
        let (origin, config) = match &cache.origin {
            CacheOrigin::Manifest { config, .. } => (None, ("config", with_size(config))),
            CacheOrigin::Inline { image, config } => {
                (Some(("image", with_size(image))), ("image config", with_size(config)))
            }
        };
        let rows =
            [("cache", read.place()), ("form", form(cache, manifest)), ("manifest", with_size(manifest))];
        let counts = [("records", records(&found)), ("results", results(&found)), ("layers", layers(&found))];
        let sizes = format!(
            "{} stored, {} with each layer counted",
            size(found.stored_bytes),
            size(found.layer_bytes)
        );
        let rest = [
            ("size", sizes),
            ("compressions", compressions(&found)),
            ("media types", media_types(&cache.layers)),
        ];
        for (name, value) in rows.into_iter().chain(origin).chain([config]).chain(counts).chain(rest) {
            writeln!(out, "{BOLD}{name:13}{BOLD:#} {}", printable(&value))?;
        }
    }
    write_warnings(out, imported)
}

fn form(cache: &ImportedCache, manifest: &Descriptor) -> String {
    match &cache.origin {
        CacheOrigin::Manifest { form, .. } => format!("{form} ({})", form.media_type()),
        CacheOrigin::Inline { .. } if manifest.media_type.is_empty() => "inline".to_owned(),
        CacheOrigin::Inline { .. } => format!("inline ({})", manifest.media_type),
    }
}

fn with_size(descriptor: &Descriptor) -> String {
    format!("{} ({})", descriptor.digest, size(descriptor.size))
}

fn records(found: &Inspection) -> String {
    let (roots, links) = (count(found.roots as u64, "root"), count(found.links as u64, "link"));
    format!("{} ({roots}, {links})", grouped(found.records as u64))
}

fn layers(found: &Inspection) -> String {
    format!("{} of {}", grouped(found.layers as u64), count(found.blobs as u64, "unique blob"))
}

fn results(found: &Inspection) -> String {
    match (found.oldest, found.newest) {
        (Some(oldest), Some(newest)) if oldest == newest => format!("{} of {oldest}", found.results),
        (Some(oldest), Some(newest)) => format!("{} from {oldest} to {newest}", found.results),
        _ => found.results.to_string(),
    }
}

fn compression_name(compression: Option<Compression>) -> &'static str {
    compression.map_or("unknown", Compression::name)
}

fn compressions(found: &Inspection) -> String {
    let each =
        found.compressions.iter().map(|(compression, n)| format!("{} {n}", compression_name(*compression)));
    let text = each.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "none".to_owned() } else { text }
}

fn media_types(layers: &[Descriptor]) -> String {
    let mut types: Vec<&str> = layers.iter().map(|layer| layer.media_type.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() { "none".to_owned() } else { types.join(", ") }
}

/// Writes everything as JSON, layer by layer and record by record: a cache may have more of them than should be held.
fn write_json(out: &mut dyn Write, read: &Read, imported: &Imported) -> std::io::Result<()> {
    let manifest = read.cache.manifest.as_ref();
    let annotations = manifest.map(|manifest| {
        let each = manifest.annotations.iter().map(|(key, value)| (key.to_owned(), json!(value)));
        each.collect::<serde_json::Map<String, Value>>()
    });
    let warnings: Vec<String> = imported.warnings.iter().map(ToString::to_string).collect();
    writeln!(out, "{{")?;
    write_members(
        out,
        &[
            ("location", json!(read.target.location)),
            ("manifest", descriptor_json(&read.cache.descriptor)),
            (
                "artifactType",
                json!(manifest.map(|m| m.artifact_type.as_str()).filter(|text| !text.is_empty())),
            ),
            ("subject", json!(manifest.and_then(|m| m.subject.as_ref()).map(descriptor_json))),
            ("annotations", json!(annotations)),
            ("warnings", json!(warnings)),
        ],
    )?;
    write!(out, "\"caches\": [")?;
    for (n, cache) in imported.caches.iter().enumerate() {
        writeln!(out, "{}{{", if n > 0 { ", " } else { "" })?;
        write_cache(out, cache)?;
        write!(out, "}}")?;
    }
    writeln!(out, "]\n}}")
}

/// Writes members of an object, a line each, more of which follow.
fn write_members<const N: usize>(out: &mut dyn Write, members: &[(&str, Value); N]) -> std::io::Result<()> {
    members.iter().try_for_each(|(key, value)| writeln!(out, "\"{key}\": {value},"))
}

fn write_list(out: &mut dyn Write, key: &str, items: impl Iterator<Item = Value>) -> std::io::Result<()> {
    write!(out, "\"{key}\": [")?;
    for (n, item) in items.enumerate() {
        write!(out, "{}\n{item}", if n > 0 { "," } else { "" })?;
    }
    write!(out, "]")
}

fn write_cache(out: &mut dyn Write, cache: &ImportedCache) -> std::io::Result<()> {
    let graph = cache.chains.graph();
    let found = Inspection::of(cache, &graph);
    let (form, image, config) = match &cache.origin {
        CacheOrigin::Manifest { form, config } => (form.name(), None, config),
        CacheOrigin::Inline { image, config } => ("inline", Some(descriptor_json(image)), config),
    };
    let time = |time: Option<Timestamp>| json!(time.map(|time| time.to_string()));
    let compressions: serde_json::Map<String, Value> =
        found.compressions.iter().map(|(c, n)| (compression_name(*c).to_owned(), json!(n))).collect();
    let counts = json!({
        "records": found.records, "roots": found.roots, "links": found.links, "results": found.results,
        "layers": found.layers, "blobs": found.blobs,
        "storedBytes": found.stored_bytes, "layerBytes": found.layer_bytes,
    });
    write_members(
        out,
        &[
            ("form", json!(form)),
            ("image", json!(image)),
            ("config", descriptor_json(config)),
            ("counts", counts),
            ("oldest", time(found.oldest)),
            ("newest", time(found.newest)),
            ("compressions", Value::Object(compressions)),
        ],
    )?;
    let layers = LayerList::of(&graph);
    write_list(out, "layers", layers.list.iter().map(|layer| layers.json(*layer)))?;
    writeln!(out, ",")?;
    write_list(out, "records", graph.records().map(|record| record_json(record, &layers)))
}

/// A descriptor as the JSON that it is in a manifest.
fn descriptor_json(descriptor: &Descriptor) -> Value {
    serde_json::from_slice(&descriptor.json()).unwrap_or(Value::Null)
}

/// The layers of all results, each after the one below it.
struct LayerList<'g> {
    list: Vec<LayerRef<'g>>,
    /// The place in the list of each layer, by its position.
    places: HashMap<usize, usize>,
}

impl<'g> LayerList<'g> {
    fn of(graph: &'g Graph<'_>) -> Self {
        let mut layers = Self { list: Vec::new(), places: HashMap::new() };
        let mut path = Vec::new();
        for top in graph.records().flat_map(RecordRef::results).filter_map(ResultRef::top) {
            let mut at = Some(top);
            while let Some(layer) = at.filter(|layer| !layers.places.contains_key(&layer.position())) {
                path.push(layer);
                at = layer.parent();
            }
            while let Some(layer) = path.pop() {
                layers.places.insert(layer.position(), layers.list.len());
                layers.list.push(layer);
            }
        }
        layers
    }

    fn place(&self, layer: Option<LayerRef<'_>>) -> Option<usize> {
        self.places.get(&layer?.position()).copied()
    }

    fn json(&self, layer: LayerRef<'_>) -> Value {
        let descriptor = layer.descriptor();
        json!({
            "parent": self.place(layer.parent()),
            "compression": compression_name(descriptor.compression()),
            "descriptor": descriptor_json(descriptor),
        })
    }
}

fn record_json(record: RecordRef<'_>, layers: &LayerList<'_>) -> Value {
    let inputs: Vec<Vec<Value>> = record
        .inputs()
        .map(|links| links.map(|l| json!({"record": l.source.position(), "selector": l.selector})).collect())
        .collect();
    let results: Vec<Value> = record
        .results()
        .map(|result| json!({"createdAt": result.created_at().to_string(), "layer": layers.place(result.top())}))
        .collect();
    json!({"digest": record.digest().to_string(), "inputs": inputs, "results": results})
}
