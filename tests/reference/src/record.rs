//! Records, and the results that their adds gave them.

use std::collections::{BTreeMap, BTreeSet};

use crate::add::{Add, Link, Outcome};

/// The records, oldest first.
pub type Records<'a> = BTreeMap<usize, Record<'a>>;

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// The digest.
    pub digest: &'a str,
    /// The links of each input.
    pub inputs: Vec<BTreeSet<Link<'a>>>,
    /// The results, oldest first.
    pub results: BTreeMap<ResultKey, Details<'a>>,
}

/// What identifies a result: its instant and its list of blobs, lowest first.
pub type ResultKey = (i128, Vec<String>);

/// The parts of a result that do not identify it.
#[derive(Clone, Debug)]
pub struct Details<'a> {
    /// The text of the time.
    pub time: &'a str,
    /// The digests of the blobs, each with the text of one of its descriptors.
    pub descriptors: BTreeSet<(String, String)>,
}

impl<'a> Record<'a> {
    /// The record of one add.
    pub(crate) fn of(add: &Add<'a>) -> Self {
        let inputs = add.inputs.iter().map(|links| links.iter().copied().collect()).collect();
        let mut record = Self { digest: add.digest, inputs, ..Self::default() };
        add.results.iter().for_each(|result| record.merge_result(result));
        record
    }

    /// Adds a result. Two with the same instant and list of blobs are one, with the smaller of the two texts of the time.
    pub(crate) fn merge_result(&mut self, result: &Outcome<'a>) {
        let blobs = result.layers.iter().map(|layer| layer.blob.clone()).collect();
        let descriptors =
            result.layers.iter().map(|layer| (layer.blob.clone(), layer.exported.clone())).collect();
        self.merge_details((result.instant, blobs), Details { time: result.time, descriptors });
    }

    pub(crate) fn merge_details(&mut self, key: ResultKey, details: Details<'a>) {
        let known = self.results.entry(key).or_insert_with(|| details.clone());
        known.time = known.time.min(details.time);
        known.descriptors.extend(details.descriptors);
    }
}
