//! The closed rule by its definition.
//!
//! Records of one digest and one number of inputs that share a link in every input are merged, until no such pair is
//! left. Then the links within cycles are dropped.

use std::collections::{BTreeMap, BTreeSet};

use crate::add::Link;
use crate::record::{Record, Records};

/// Closed records.
pub(crate) struct Closed<'a> {
    /// The records. One that is left with an input without links is still there.
    pub(crate) records: Records<'a>,
    /// The record that each part belongs to.
    pub(crate) record_of: BTreeMap<usize, usize>,
}

/// Closes the parts of records; their links name parts.
pub(crate) fn close<'a>(parts: &Records<'a>) -> Closed<'a> {
    let mut record_of: BTreeMap<usize, usize> = parts.keys().map(|at| (*at, *at)).collect();
    let mut records = united(parts, &record_of);
    while let Some((older, younger)) = next_to_join(&records) {
        record_of.values_mut().filter(|of| **of == younger).for_each(|of| *of = older);
        records = united(parts, &record_of);
    }
    cut_cycles(&mut records);
    Closed { records, record_of }
}

/// The records that the parts belong to, with the links and results of all their parts.
fn united<'a>(parts: &Records<'a>, record_of: &BTreeMap<usize, usize>) -> Records<'a> {
    let mut records = Records::new();
    for (at, part) in parts {
        let record = records.entry(record_of[at]).or_insert_with(|| Record {
            digest: part.digest,
            inputs: vec![BTreeSet::new(); part.inputs.len()],
            ..Record::default()
        });
        for (all, links) in record.inputs.iter_mut().zip(&part.inputs) {
            all.extend(links.iter().map(|(source, selector)| -> Link<'a> { (record_of[source], *selector) }));
        }
        for (key, details) in &part.results {
            record.merge_details(key.clone(), details.clone());
        }
    }
    records
}

fn next_to_join(records: &Records<'_>) -> Option<(usize, usize)> {
    for (older, a) in records {
        for (younger, b) in records.range(older + 1..) {
            let mut inputs = a.inputs.iter().zip(&b.inputs);
            let alike = a.digest == b.digest && a.inputs.len() == b.inputs.len();
            if alike && inputs.all(|(x, y)| !x.is_disjoint(y)) {
                return Some((*older, *younger));
            }
        }
    }
    None
}

/// Drops each link from the record itself or from a record that depends on it.
fn cut_cycles(records: &mut Records<'_>) {
    let whole = records.clone();
    let reached = |from: usize| {
        let mut found = BTreeSet::from([from]);
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            let sources = whole[&at].inputs.iter().flatten().map(|(source, _)| *source);
            next.extend(sources.filter(|source| found.insert(*source)));
        }
        found
    };
    for (at, record) in records {
        record.inputs.iter_mut().for_each(|links| links.retain(|(source, _)| !reached(*source).contains(at)));
    }
}
