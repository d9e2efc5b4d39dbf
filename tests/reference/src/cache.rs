//! A cache as it is read: a config, and the descriptors of its manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::add::{Add, Layer, Link, Outcome};
use crate::blob::{Blob, Blobs};
use crate::instant::instant;
use crate::marshal::leave_out;
use crate::record::Records;
use crate::reference::Reference;

/// A cache that was read from its texts.
#[derive(Clone, Debug)]
pub struct Cache {
    /// The adds, sources before the records that link to them.
    adds: Vec<ReadAdd>,
    blobs: Blobs,
}

/// The text of an instant, with the layers that were made then.
type ReadResult = (String, Vec<Layer>);

#[derive(Clone, Debug)]
struct ReadAdd {
    digest: String,
    inputs: Vec<Vec<(usize, String)>>,
    results: Vec<ReadResult>,
}

struct Reader<'c> {
    layers: &'c [Value],
    records: &'c [Value],
    provided: BTreeMap<String, Blob>,
    /// The records on the way to the one that is read.
    open: BTreeSet<usize>,
    /// For each record of the config that was read, its add; `None` for one that is skipped.
    add_of: BTreeMap<usize, Option<usize>>,
    cache: Cache,
}

impl Cache {
    /// Reads the text of a config with the JSON texts of the descriptors of its layers. `None` if BuildKit refuses it.
    pub fn read(config: &str, descriptors: &[String]) -> Option<Self> {
        let config: Value = serde_json::from_str(config).ok()?;
        let mut reader = Reader {
            layers: list(&config, "layers"),
            records: list(&config, "records"),
            provided: descriptors.iter().map(|text| Blob::read(text)).collect::<Option<_>>()?,
            open: BTreeSet::new(),
            add_of: BTreeMap::new(),
            cache: Self { adds: Vec::new(), blobs: Blobs::default() },
        };
        (0..reader.records.len()).try_for_each(|record| reader.record(record).map(|_| ()))?;
        Some(reader.cache)
    }

    /// The records by BuildKit's rule.
    pub fn records(&self) -> Records<'_> {
        let mut reference = Reference::default();
        for add in &self.adds {
            let results = add.results.iter().map(|(time, layers)| Outcome {
                instant: instant(time).unwrap(),
                time,
                layers: layers.clone(),
            });
            let inputs = add.inputs.iter().map(|links| links_of(links)).collect();
            reference.add(&Add { digest: &add.digest, inputs, results: results.collect() }).unwrap();
        }
        let mut records = reference.by_order();
        leave_out(&mut records);
        records
    }

    /// The number of adds. The name of each record is below it.
    pub fn adds_len(&self) -> usize {
        self.adds.len()
    }

    /// What the manifest says of the blobs of the results.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }
}

impl Reader<'_> {
    /// Reads a record after its sources, once. Its add; `None` for one that is skipped.
    fn record(&mut self, at: usize) -> Option<Option<usize>> {
        if let Some(add) = self.add_of.get(&at) {
            return Some(*add);
        }
        let record = self.records.get(at).filter(|_| self.open.insert(at))?;
        let digest = record["digest"].as_str().unwrap_or_default().to_owned();
        let mut inputs = Vec::new();
        for input in list(record, "inputs") {
            let links = input.as_array().filter(|links| !links.is_empty())?;
            let mut read = Vec::new();
            for link in links {
                let source = self.record(position(&link["link"])?)??;
                read.push((source, link["selector"].as_str().unwrap_or_default().to_owned()));
            }
            inputs.push(read);
        }
        let results = self.results(record)?;
        let add = (!digest.starts_with("random:")).then(|| {
            self.cache.adds.push(ReadAdd { digest, inputs, results });
            self.cache.adds.len() - 1
        });
        self.add_of.insert(at, add);
        Some(add)
    }

    /// The results of a record whose layers all have descriptors.
    fn results(&mut self, record: &Value) -> Option<Vec<ReadResult>> {
        let mut results = Vec::new();
        for result in list(record, "layers") {
            let layers = self.with_parents(&result["layer"])?;
            results.extend(layers.map(|layers| (time(result), layers)));
        }
        for chain in list(record, "chains") {
            let layers = self.listed(list(chain, "layers"))?;
            results.extend(layers.map(|layers| (time(chain), layers)));
        }
        results.iter().try_for_each(|(time, _)| instant(time).map(|_| ()))?;
        for layer in results.iter().flat_map(|(_, layers)| layers) {
            let blob = self.provided[&layer.blob].clone();
            self.cache.blobs.0.insert(layer.blob.clone(), blob);
        }
        Some(results)
    }

    /// A layer with all of its parents. The outer `None`: the config is refused. The inner one: a blob is absent.
    fn with_parents(&self, top: &Value) -> Option<Option<Vec<Layer>>> {
        let mut at = top.as_i64().unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut downwards = Vec::new();
        while at != -1 || seen.is_empty() {
            let position = usize::try_from(at).ok().filter(|position| seen.insert(*position))?;
            let layer = self.layers.get(position)?;
            match self.layer(layer) {
                None => return Some(None),
                Some(layer) => downwards.push(layer),
            }
            at = layer["parent"].as_i64().unwrap_or_default();
        }
        downwards.reverse();
        Some(Some(downwards))
    }

    /// The layers that a chain lists. The outer `None`: the config is refused. The inner one: a blob is absent.
    fn listed(&self, list: &[Value]) -> Option<Option<Vec<Layer>>> {
        let mut layers = Vec::new();
        for at in list {
            match self.layer(self.layers.get(position(at)?)?) {
                None => return Some(None),
                Some(layer) => layers.push(layer),
            }
        }
        Some(Some(layers))
    }

    fn layer(&self, layer: &Value) -> Option<Layer> {
        let blob = layer["blob"].as_str()?;
        let provided = self.provided.get(blob)?;
        Some(Layer { blob: blob.to_owned(), exported: provided.exported.clone() })
    }
}

fn links_of(links: &[(usize, String)]) -> Vec<Link<'_>> {
    links.iter().map(|(source, selector)| (*source, selector.as_str())).collect()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// A position; an absent one is 0. `None` if it is negative.
fn position(value: &Value) -> Option<usize> {
    usize::try_from(value.as_i64().unwrap_or_default()).ok()
}

fn time(result: &Value) -> String {
    result["createdAt"].as_str().unwrap_or("0001-01-01T00:00:00Z").to_owned()
}
