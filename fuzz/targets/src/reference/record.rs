//! Records of the reference, and the results that they gather.

use std::collections::{BTreeMap, BTreeSet};

use crate::script::Outcome;

/// A link: the source, and the selector.
pub(super) type Link = (usize, &'static str);

/// The records, oldest first.
pub(crate) type Records = BTreeMap<usize, Record>;

/// A record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(super) digest: &'static str,
    pub(super) inputs: Vec<BTreeSet<Link>>,
    /// By instant and list of blobs, which make a result what it is.
    pub(super) results: BTreeMap<(u64, Vec<String>), Details>,
}

/// What may differ between two results that are one.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) time: &'static str,
    /// The texts of the descriptors that each blob came with.
    pub(super) descriptors: BTreeSet<(String, String)>,
}

impl Record {
    /// The same instant and the same list of blobs is the same result; of two texts the smaller is kept.
    pub(super) fn merge_result(&mut self, result: &Outcome) {
        let blobs = result.layers.iter().map(|layer| layer.blob()).collect();
        let descriptors = result.layers.iter().map(|layer| (layer.blob(), layer.exported())).collect();
        self.merge_details((result.instant, blobs), Details { time: result.time, descriptors });
    }

    pub(super) fn merge_details(&mut self, key: (u64, Vec<String>), details: Details) {
        let known = self.results.entry(key).or_insert_with(|| details.clone());
        known.time = known.time.min(details.time);
        known.descriptors.extend(details.descriptors);
    }
}
