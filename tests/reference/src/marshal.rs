//! Marshals records into the text of a cache config.
//!
//! The order is canonical; BuildKit's is random in places.

use std::collections::{BTreeMap, BTreeSet};

use crate::add::Link;
use crate::record::{Details, Record, Records, ResultKey};

/// An exported cache.
#[derive(Debug, PartialEq, Eq)]
pub struct Exported {
    /// The JSON text of the config.
    pub config: String,
    /// The JSON texts of the descriptors, one for each distinct blob, by digest.
    pub descriptors: Vec<String>,
}

/// The result of a record that is marshalled.
type Chosen<'r> = Option<(&'r ResultKey, &'r Details<'r>)>;

/// A layer: a blob, and the number of the layer below it.
type Layer = (String, Option<usize>);

struct Marshal<'r> {
    records: &'r Records<'r>,
    chosen: BTreeMap<usize, Chosen<'r>>,
    rank: BTreeMap<usize, usize>,
    finished: Vec<usize>,
    layers: Vec<Layer>,
    /// The number of the topmost layer of each record's result.
    top: BTreeMap<usize, usize>,
    /// The texts of all descriptors of each exported blob.
    descriptors: BTreeMap<String, BTreeSet<String>>,
}

/// Marshals records; the blobs in `absent` are missing from the store.
pub fn marshal(mut records: Records<'_>, absent: &[String]) -> Exported {
    leave_out(&mut records);
    Marshal::walked(&records, absent).export()
}

/// The records in the order of their config. Each has a link in every input.
pub(crate) fn config_order(records: &Records<'_>) -> Vec<usize> {
    Marshal::walked(records, &[]).sorted()
}

/// Removes records that have an input without links, and the links to them, until no such record is left.
pub fn leave_out(records: &mut Records<'_>) {
    while let Some(gone) =
        records.iter().find(|(_, record)| record.inputs.iter().any(BTreeSet::is_empty)).map(|(at, _)| *at)
    {
        records.remove(&gone);
        let inputs = records.values_mut().flat_map(|record| &mut record.inputs);
        inputs.for_each(|links| links.retain(|(source, _)| *source != gone));
    }
}

/// The newest result whose blobs are all present; at the same instant the one with the greater list of blobs. `None` if
/// that result has no layers.
fn choose<'r>(record: &'r Record<'r>, absent: &[String]) -> Chosen<'r> {
    let complete =
        record.results.iter().rev().find(|((_, blobs), _)| !blobs.iter().any(|b| absent.contains(b)));
    complete.filter(|((_, blobs), _)| !blobs.is_empty())
}

impl<'r> Marshal<'r> {
    /// Ranks and visits all records.
    fn walked(records: &'r Records<'r>, absent: &[String]) -> Self {
        let mut marshal = Self {
            chosen: records.iter().map(|(at, record)| (*at, choose(record, absent))).collect(),
            records,
            rank: BTreeMap::new(),
            finished: Vec::new(),
            layers: Vec::new(),
            top: BTreeMap::new(),
            descriptors: BTreeMap::new(),
        };
        marshal.rank_all();
        marshal.walk();
        marshal
    }

    fn height(&self, record: usize, known: &mut BTreeMap<usize, usize>) -> usize {
        if let Some(height) = known.get(&record) {
            return *height;
        }
        let sources = self.records[&record].inputs.iter().flatten();
        let height = sources.map(|(source, _)| 1 + self.height(*source, known)).max().unwrap_or(0);
        known.insert(record, height);
        height
    }

    /// Ranks the records by height, digest, number of inputs, links, result and age, the oldest first.
    fn rank_all(&mut self) {
        let mut heights = BTreeMap::new();
        let mut by_height: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for record in self.records.keys() {
            by_height.entry(self.height(*record, &mut heights)).or_default().push(*record);
        }
        for mut records in by_height.into_values() {
            records.sort_by_key(|at| {
                let record = &self.records[at];
                let links: Vec<_> = record.inputs.iter().map(|links| self.canonical_keys(links)).collect();
                let result = self.chosen[at].map(|(key, details)| (key, details.time));
                (record.digest, links.len(), links, result)
            });
            for record in records {
                self.rank.insert(record, self.rank.len());
            }
        }
    }

    /// The links of an input as (selector, rank of the source), sorted.
    fn canonical_keys(&self, links: &BTreeSet<Link<'r>>) -> Vec<(&'r str, usize)> {
        let mut keys: Vec<_> =
            links.iter().map(|(source, selector)| (*selector, self.rank[source])).collect();
        keys.sort_unstable();
        keys
    }

    /// The links of an input in canonical order.
    fn canonical(&self, links: &BTreeSet<Link<'r>>) -> Vec<Link<'r>> {
        let mut links: Vec<Link<'r>> = links.iter().copied().collect();
        links.sort_by_key(|(source, selector)| (*selector, self.rank[source]));
        links
    }

    /// Visits every record, starting at the leaves in the order of their ranks.
    fn walk(&mut self) {
        let sources: BTreeSet<usize> = self
            .records
            .values()
            .flat_map(|record| record.inputs.iter().flatten())
            .map(|link| link.0)
            .collect();
        let mut leaves: Vec<usize> =
            self.records.keys().copied().filter(|at| !sources.contains(at)).collect();
        leaves.sort_by_key(|leaf| self.rank[leaf]);
        leaves.into_iter().for_each(|leaf| self.visit(leaf));
    }

    /// Finishes a record once, after all of its sources.
    fn visit(&mut self, record: usize) {
        if self.finished.contains(&record) {
            return;
        }
        for links in &self.records[&record].inputs {
            self.canonical(links).into_iter().for_each(|(source, _)| self.visit(source));
        }
        self.finished.push(record);
        let Some(((_, blobs), details)) = self.chosen[&record] else { return };
        let mut below = None;
        for blob in blobs {
            let layer = (blob.clone(), below);
            let known = self.layers.iter().position(|other| *other == layer);
            below = Some(known.unwrap_or_else(|| {
                self.layers.push(layer);
                self.layers.len() - 1
            }));
        }
        self.top.insert(record, below.unwrap());
        for (blob, text) in &details.descriptors {
            self.descriptors.entry(blob.clone()).or_default().insert(text.clone());
        }
    }

    /// The records in the order of the config.
    fn sorted(&self) -> Vec<usize> {
        let mut sorted = self.finished.clone();
        sorted.sort_by_cached_key(|at| {
            let record = &self.records[at];
            let key = |(source, selector): Link<'r>| (selector, self.records[&source].digest);
            let row = |links: &BTreeSet<Link<'r>>| {
                (links.len(), self.canonical(links).into_iter().map(key).collect::<Vec<_>>())
            };
            (record.digest, record.inputs.len(), record.inputs.iter().map(row).collect::<Vec<_>>())
        });
        sorted
    }

    /// Sorts layers and records, renumbers them, and writes the config.
    fn export(self) -> Exported {
        let mut by_blob: Vec<usize> = (0..self.layers.len()).collect();
        by_blob.sort_by_key(|old| &self.layers[*old]);
        let layer_at = |old: usize| by_blob.iter().position(|other| *other == old).unwrap();
        let layers = by_blob.iter().map(|old| {
            let (blob, below) = &self.layers[*old];
            let parent = match below.map(layer_at) {
                None => r#","parent":-1"#.to_owned(),
                Some(0) => String::new(),
                Some(parent) => format!(r#","parent":{parent}"#),
            };
            format!(r#"{{"blob":"{blob}"{parent}}}"#)
        });

        let sorted = self.sorted();
        let record_at = |record: usize| sorted.iter().position(|other| *other == record).unwrap();
        let input = |links: &BTreeSet<Link<'r>>| {
            let mut links: Vec<(usize, &str)> =
                links.iter().map(|(source, selector)| (record_at(*source), *selector)).collect();
            links.sort_unstable();
            let link = |(record, selector): &(usize, &str)| match *selector {
                "" => format!(r#"{{"link":{record}}}"#),
                selector => format!(r#"{{"selector":"{}","link":{record}}}"#, escaped(selector)),
            };
            list(links.iter().map(link))
        };
        let records = sorted.iter().map(|at| {
            let record = &self.records[at];
            let mut members = Vec::new();
            if let Some((_, details)) = self.chosen[at] {
                let (layer, time) = (layer_at(self.top[at]), details.time);
                members.push(format!(r#""layers":[{{"layer":{layer},"createdAt":"{time}"}}]"#));
            }
            if !record.digest.is_empty() {
                members.push(format!(r#""digest":"{}""#, record.digest));
            }
            if !record.inputs.is_empty() {
                members.push(format!(r#""inputs":{}"#, list(record.inputs.iter().map(input))));
            }
            format!("{{{}}}", members.join(","))
        });

        let mut members = Vec::new();
        if !self.layers.is_empty() {
            members.push(format!(r#""layers":{}"#, list(layers)));
        }
        if !sorted.is_empty() {
            members.push(format!(r#""records":{}"#, list(records)));
        }
        let descriptors =
            self.descriptors.into_values().filter_map(|texts| texts.into_iter().next()).collect();
        Exported { config: format!("{{{}}}", members.join(",")), descriptors }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn escaped(text: &str) -> String {
    ['&', '<', '>', '\u{2028}', '\u{2029}'].iter().fold(text.to_owned(), |text, special| {
        text.replace(*special, &format!("\\u{:04x}", u32::from(*special)))
    })
}
