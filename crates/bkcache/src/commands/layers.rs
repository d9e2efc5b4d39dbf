//! `bkcache layers`: what each layer of a cache holds, and which step made it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anstyle::Style;
use cache_compress::read_concurrency;
use cache_explain::Instructions;
use cache_import::Imported;
use cache_ingest::{ErrorKind, Event, Provider};
use cache_inputs::LayerOptions;
use cache_keys::{EntryKind, LayerTree, Op};
use cache_model::{Descriptor, Digest, Graph, count, grouped};
use cache_report::text::printable;
use cache_report::{LayerContents, LayerFiles, RecordKind, layers_json, layers_total};
use futures_util::{StreamExt, stream};

use crate::cli::{GlobalArgs, LayersArgs};
use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, LayerTrees, images_of, read_layer};
use crate::interrupt::unless_interrupted;
use crate::messages::Messages;
use crate::open::OpenedSource;
use crate::output::{report_then, terminal_width, write_text};
use crate::record_names::record_names;
use crate::stores::Stores;

const BOLD: Style = Style::new().bold();

pub(crate) async fn run(args: &LayersArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let build = args.build();
    let targets: Vec<&str> = std::iter::once(args.source.as_str()).chain(images_of(&build.records)).collect();
    let stores = Stores::for_reading(global, &args.registry, &targets)?;
    let read = async move {
        let source = OpenedSource::open(&stores, &args.source).await?;
        let imported = source.import(&stores).await?;
        let builds = Builds::read(&stores, &build, &LayerOptions::default().also).await?;
        let steps = steps(&source, &imported, &builds)?;
        let read = read_all(args, &stores, &source, &imported).await;
        Ok((source, steps, read))
    };
    let (source, mut steps, read) = unless_interrupted(read, None, global).await?;
    let contents = read.into_iter().map(|(layer, files)| {
        let steps = steps.remove(&layer.digest).unwrap_or_default();
        LayerContents::new(layer, steps.into_iter().collect(), files)
    });
    let mut contents: Vec<LayerContents> = contents.collect();
    contents.sort_by_key(|contents| (Reverse(contents.layer.size), contents.layer.digest));
    if contents.is_empty() && !args.json {
        Messages::of(global).note(&format!("no layers in {}", source.place()));
    }
    let written = write_text(|out| match args.json {
        true => writeln!(out, "{}", layers_json(&contents)),
        false => write_paragraphs(out, &contents, global),
    });
    let unread = contents.iter().filter(|contents| contents.files.is_err()).count() as u64;
    let failure = (unread > 0).then(|| Failure::Failed {
        doing: source.reading(),
        kind: ErrorKind::Other,
        error: anyhow::anyhow!(
            "{} of {} cannot be read",
            grouped(unread),
            count(contents.len() as u64, "layer")
        ),
        hint: Some("run `bkcache verify` to see what is wrong".to_owned()),
    });
    report_then(written, failure)
}

/// Each distinct blob of the layers, and what it holds. A layer's tree is dropped once it is summed up.
async fn read_all(
    args: &LayersArgs,
    stores: &Stores,
    source: &OpenedSource,
    imported: &Imported,
) -> Vec<(Descriptor, Result<LayerFiles, String>)> {
    let blobs = imported.caches.iter().flat_map(|cache| cache.chains.blobs());
    let distinct: BTreeMap<Digest, &Descriptor> = blobs.map(|blob| (blob.digest, blob)).collect();
    let bytes = distinct.values().fold(0u64, |sum, blob| sum.saturating_add(blob.size));
    stores.job.event(&Event::Planned { blobs: distinct.len() as u64, bytes });
    let provider: &dyn Provider = &*source.target.store;
    let options = LayerOptions::default();
    let read = distinct.into_values().map(async |layer| {
        let read = read_layer(stores, provider, layer, &options).await;
        let files = read.map(|tree| layer_files(&tree, args.files)).map_err(|error| error.to_string());
        (layer.clone(), files)
    });
    stream::iter(read).buffer_unordered(read_concurrency(&stores.job)).collect().await
}

/// The steps by the layers that they made, in words. A layer of a base image has the step that names the image.
fn steps(
    source: &OpenedSource,
    imported: &Imported,
    builds: &Builds,
) -> Result<BTreeMap<Digest, BTreeSet<String>>, Failure> {
    let mut steps: BTreeMap<Digest, BTreeSet<String>> = BTreeMap::new();
    if builds.builds.is_empty() {
        return Ok(steps);
    }
    let graphs = imported.caches.iter().map(|cache| cache.chains.graph().doing(|| source.reading()));
    let graphs: Vec<Graph<'_>> = graphs.collect::<Result<_, Failure>>()?;
    let names = record_names(&graphs, builds, &LayerTrees::default());
    for record in graphs.iter().flat_map(|graph| graph.records()) {
        let made = names.of(record.digest()).iter();
        let made = made.filter(|name| matches!(name.kind, RecordKind::Step { .. }));
        let made: Vec<String> = made.map(ToString::to_string).collect();
        for top in record.results().filter_map(|result| result.top()) {
            steps.entry(top.descriptor().digest).or_default().extend(made.iter().cloned());
        }
    }
    // The record of a build names layers, too: those of base images, and those of steps whose results are never exported.
    for build in &builds.builds {
        let instructions = Instructions::of(build);
        for (output, chains) in &build.layers {
            let step = output.step;
            let (Some(line), Some(text)) = (instructions.line(step), instructions.text(step)) else {
                continue;
            };
            let is_source =
                build.definition.steps().get(step).is_some_and(|step| matches!(step.op, Op::Source(_)));
            for chain in chains {
                let made = if is_source {
                    chain.as_slice()
                } else {
                    chain.last_chunk::<1>().map_or(&[][..], |top| top)
                };
                for layer in made {
                    steps.entry(layer.digest).or_default().insert(format!("line {line}, {text}"));
                }
            }
        }
    }
    Ok(steps)
}

/// What a layer holds, with this many of its largest files.
fn layer_files(layer: &LayerTree, most: usize) -> LayerFiles {
    let mut files = LayerFiles::default();
    let mut sizes: Vec<(u64, Vec<u8>)> = Vec::new();
    let (mut filled, mut bare) = (Places::default(), Places::default());
    for (path, entry) in layer.entries() {
        let mut bytes = 0;
        match entry.kind() {
            EntryKind::File { size } => {
                files.files += 1;
                bytes = *size;
                sizes.push((bytes, path.clone()));
            }
            EntryKind::Folder => files.folders += 1,
            _ => files.others += 1,
        }
        files.bytes = files.bytes.saturating_add(bytes);
        // A RUN leaves empty folders where something was mounted. They count only where there is nothing else.
        let places = if entry.is_folder() { &mut bare } else { &mut filled };
        places.add(&path, bytes);
    }
    for (path, _) in layer.links_below() {
        files.files += 1;
        filled.add(path, 0);
    }
    files.places = if filled.common.is_some() { filled.paths() } else { bare.paths() };
    sizes.sort_by(|(a, a_path), (b, b_path)| b.cmp(a).then_with(|| a_path.cmp(b_path)));
    files.biggest = sizes.into_iter().take(most).map(|(size, path)| (path, size)).collect();
    let hidden: BTreeSet<Vec<u8>> =
        layer.whiteouts().chain(layer.opaque_folders()).map(<[u8]>::to_vec).collect();
    files.hidden = hidden.into_iter().collect();
    files
}

/// Where entries are.
#[derive(Default)]
struct Places {
    /// The folder that they have in common.
    common: Option<Vec<u8>>,
    /// The bytes below each name in the root.
    tops: BTreeMap<Vec<u8>, u64>,
}

impl Places {
    fn add(&mut self, path: &[u8], bytes: u64) {
        let top = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        let sum = self.tops.entry(top.to_vec()).or_default();
        *sum = sum.saturating_add(bytes);
        let folder = path.iter().rposition(|byte| *byte == b'/').and_then(|slash| path.get(..slash));
        let folder = folder.unwrap_or_default();
        self.common = Some(match &self.common {
            Some(common) => {
                let names = |path| <[u8]>::split(path, |byte| *byte == b'/');
                let same = names(common).zip(names(folder)).take_while(|(a, b)| a == b);
                same.map(|(name, _)| name).collect::<Vec<_>>().join(&b'/')
            }
            None => folder.to_vec(),
        });
    }

    /// The folder that has all entries, or where that is the root, its folders and files, those with the most bytes first.
    fn paths(self) -> Vec<Vec<u8>> {
        match self.common {
            Some(common) if !common.is_empty() => vec![common],
            _ => {
                let mut tops: Vec<_> = self.tops.into_iter().collect();
                tops.sort_by_key(|(_, bytes)| Reverse(*bytes));
                tops.into_iter().map(|(top, _)| top).collect()
            }
        }
    }
}

fn write_paragraphs(
    out: &mut dyn Write,
    layers: &[LayerContents],
    global: &GlobalArgs,
) -> std::io::Result<()> {
    for layer in layers {
        for (name, value) in layer.rows(terminal_width()) {
            writeln!(out, "{BOLD}{name}{BOLD:#}{value}")?;
        }
        writeln!(out)?;
    }
    if !global.quiet && !layers.is_empty() {
        writeln!(out, "{}", printable(&layers_total(layers)))?;
    }
    Ok(())
}
