//! Records, and the results that their adds gave them.

use std::collections::{BTreeMap, BTreeSet};

use crate::add::{Link, Outcome};

/// The records, oldest first.
pub type Records<'a> = BTreeMap<usize, Record<'a>>;

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// The digest.
    pub digest: &'a str,
    /// The links of each input.
    pub inputs: Vec<BTreeSet<Link<'a>>>,
    /// The results by instant and list of blobs, oldest first. These two identify a result.
    pub results: BTreeMap<(u64, Vec<String>), Details<'a>>,
}

/// The parts of a result that do not identify it.
#[derive(Clone, Debug)]
pub struct Details<'a> {
    /// The text of the time.
    pub time: &'a str,
    /// The digests of the blobs, each with the text of one of its descriptors.
    pub descriptors: BTreeSet<(String, String)>,
}

impl<'a> Record<'a> {
    /// Adds a result. Two with the same instant and list of blobs are one, with the smaller of the two texts of the time.
    pub(crate) fn merge_result(&mut self, result: &Outcome<'a>) {
        let blobs = result.layers.iter().map(|layer| layer.blob.clone()).collect();
        let descriptors =
            result.layers.iter().map(|layer| (layer.blob.clone(), layer.exported.clone())).collect();
        self.merge_details((result.instant, blobs), Details { time: result.time, descriptors });
    }

    pub(crate) fn merge_details(&mut self, key: (u64, Vec<String>), details: Details<'a>) {
        let known = self.results.entry(key).or_insert_with(|| details.clone());
        known.time = known.time.min(details.time);
        known.descriptors.extend(details.descriptors);
    }
}
