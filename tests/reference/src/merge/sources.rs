//! The sources of a merge, with what is left of them.

use std::collections::BTreeSet;

use crate::blob::{Blobs, SizeConflict};
use crate::cache::Cache;
use crate::record::{Record, Records};

/// The sources. No two records of them have one name.
pub(crate) struct Sources<'a> {
    /// What is left of each source.
    pub(crate) records: Vec<Records<'a>>,
    /// The records that had neither inputs nor results when they were read: links to them can be content links.
    pub(crate) contents: BTreeSet<usize>,
    /// The blobs of all sources.
    pub(crate) blobs: Blobs,
}

impl<'a> Sources<'a> {
    pub(crate) fn read(caches: impl IntoIterator<Item = &'a Cache>) -> Result<Self, SizeConflict> {
        let mut sources = Self { records: Vec::new(), contents: BTreeSet::new(), blobs: Blobs::default() };
        let mut first = 0;
        for cache in caches {
            sources.blobs.unite(cache.blobs())?;
            let records = cache.records().into_iter();
            let records: Records<'a> = records
                .map(|(at, record)| (first + at, without_empty_results(renamed(record, first))))
                .collect();
            let is_content = |record: &Record<'_>| record.inputs.is_empty() && record.results.is_empty();
            let contents = records.iter().filter(|(_, record)| is_content(record)).map(|(at, _)| *at);
            sources.contents.extend(contents);
            sources.records.push(records);
            first += cache.adds_len();
        }
        Ok(sources)
    }

    /// The digests of the content links of a record's input.
    pub(crate) fn contents(&self, source: usize, record: &Record<'a>, input: usize) -> BTreeSet<&'a str> {
        let links = record.inputs[input].iter();
        let content = links
            .filter(|(at, selector)| selector.is_empty() && self.contents.contains(at))
            .map(|link| link.0);
        content.map(|at| self.records[source][&at].digest).collect()
    }
}

/// The record with other names for its sources.
fn renamed(mut record: Record<'_>, first: usize) -> Record<'_> {
    for links in &mut record.inputs {
        *links = links.iter().map(|(source, selector)| (first + source, *selector)).collect();
    }
    record
}

/// The record without its results that have no layers: they do not count when caches are merged.
fn without_empty_results(mut record: Record<'_>) -> Record<'_> {
    record.results.retain(|(_, blobs), _| !blobs.is_empty());
    record
}
