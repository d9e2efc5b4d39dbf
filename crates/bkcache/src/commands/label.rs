//! `bkcache label`: keeps beside a cache what explains it, so that a later comparison needs neither the record nor the layers.

use std::io::Write;
use std::sync::Arc;

use cache_explain::{Cache, ContentPlan, comparison_header, name_records};
use cache_inputs::{Label, LayerOptions, publish_label};
use cache_model::{Descriptor, count};
use cache_report::text::printable;
use serde_json::json;

use crate::cli::{GlobalArgs, LabelArgs};
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of};
use crate::interrupt::{CANCELLING, unless_interrupted};
use crate::output::write_text;
use crate::record_names::has_no_step;
use crate::sources::{CacheSource, blobs_of, open_sources};
use crate::stores::Stores;

/// A label that was made.
struct Labelled {
    place: String,
    cache: Descriptor,
    /// The artifact; `None` if it was not stored.
    label: Option<Descriptor>,
    builds: usize,
    records: usize,
    files: usize,
    bytes: usize,
}

pub(crate) async fn run(args: &LabelArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.build.records.is_empty() {
        return Err(Failure::Usage(
            "cannot label the cache: name the record of its build with --record".to_owned(),
        ));
    }
    let images = images_of(&args.build.records);
    let targets: Vec<&str> = std::iter::once(args.cache.as_str()).chain(images).collect();
    let stores = Stores::for_reading(global, &args.registry, &targets)?;
    let registries = stores.registries.clone();
    let labelled = unless_interrupted(label(args, &stores), None, global).await;
    registries.settle(CANCELLING).await;
    let labelled = labelled?;
    drop(stores);
    write_text(|out| match args.json {
        true => writeln!(out, "{:#}", labelled.json()),
        false if global.quiet && !args.dry_run => Ok(()),
        false => labelled.write_line(out),
    })
}

async fn label(args: &LabelArgs, stores: &Stores) -> Result<Labelled, Failure> {
    let mut options = LayerOptions::default();
    // Under this header too, files of different modes and owners can be compared.
    options.also = Arc::new(|_, _, _| vec![comparison_header()]);
    let sources = open_sources(stores, std::slice::from_ref(&args.cache)).await?;
    let [source] = sources.as_slice() else { return Err(Failure::Usage("name one cache".to_owned())) };
    let place = source.opened.place();
    let doing = || format!("cannot label {place}");
    let Some(store) = &source.opened.target.referrers else {
        return Err(Failure::Usage(format!("{}: this kind of store keeps no labels", doing())));
    };
    let builds = Builds::read(stores, &args.build, &options.also).await?;
    let layers = read_layers(stores, source, &builds, &options).await?;
    let graph = source.chains.graph().doing(|| source.opened.reading())?;
    let names = name_records(&Cache::new(&graph, &layers.trees), &builds.inputs());
    if has_no_step(&names) {
        return Err(Failure::Usage(format!(
            "{}: no record of the cache is a step of the build that --record describes; give the record of the build that wrote the cache",
            doing()
        )));
    }
    let mut label = Label::new(&builds.builds);
    label.contexts = builds.contexts;
    label.layers = layers.trees;
    let text = label.text(&names);
    let trees = label.contexts.values().map(|tree| tree.iter().count());
    let files = trees.chain(label.layers.values().map(|layer| layer.entries().count())).sum();
    let (records, bytes) = (names.digests().len(), text.len());
    let cache = source.opened.cache.descriptor.clone();
    let stored = match args.dry_run {
        true => None,
        false => Some(publish_label(text, &cache, &**store, &stores.job).await.doing(doing)?),
    };
    Ok(Labelled { place, cache, label: stored, builds: label.builds.len(), records, files, bytes })
}

/// Reads the layers of the copies.
async fn read_layers(
    stores: &Stores,
    source: &CacheSource,
    builds: &Builds,
    options: &LayerOptions,
) -> Result<LayerTrees, Failure> {
    let mut layers = LayerTrees::default();
    let wanted: Vec<_> = {
        let graph = source.chains.graph().doing(|| source.opened.reading())?;
        let cache = Cache::new(&graph, &layers.trees);
        let plans = builds.builds.iter().map(|build| ContentPlan::new(build, &cache, &[]));
        plans.flat_map(|plan| plan.layers().copied().collect::<Vec<_>>()).collect()
    };
    let provider = blobs_of(std::slice::from_ref(source));
    layers.read(stores, (&provider, source.chains.blobs()), &wanted, options).await;
    Ok(layers)
}

impl Labelled {
    fn write_line(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Self { builds, records, files, bytes, .. } = self;
        let place = printable(&self.place);
        let what = [(builds, "build"), (records, "named record"), (files, "file"), (bytes, "byte")];
        let what = what.map(|(number, noun)| count(*number as u64, noun)).join(", ");
        match &self.label {
            Some(label) => {
                writeln!(out, "{place}: {} has the label {} ({what})", self.cache.digest, label.digest)
            }
            None => writeln!(out, "{place}: {} would get a label ({what})", self.cache.digest),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.place,
            "manifest": self.cache.digest.to_string(),
            "label": self.label.as_ref().map(|label| label.digest.to_string()),
            "builds": self.builds,
            "records": self.records,
            "files": self.files,
            "bytes": self.bytes,
        })
    }
}
