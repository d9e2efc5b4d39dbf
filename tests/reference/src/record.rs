//! Records, and the results that they gather.

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
    /// By instant and list of blobs, which make a result what it is.
    pub results: BTreeMap<(u64, Vec<String>), Details<'a>>,
}

/// What may differ between two results that are one.
#[derive(Clone, Debug)]
pub struct Details<'a> {
    /// The text of the time.
    pub time: &'a str,
    /// The texts of the descriptors that each blob came with.
    pub descriptors: BTreeSet<(String, String)>,
}

impl<'a> Record<'a> {
    /// The same instant and the same list of blobs is the same result; of two texts the smaller is kept.
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
