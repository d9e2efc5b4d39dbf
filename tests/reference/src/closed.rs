//! The closed rule by its definition.
//!
//! Records of one digest and one number of inputs that share a link in every input are merged, until no such pair is
//! left. Then the links within cycles are dropped.

use std::collections::{BTreeMap, BTreeSet};

use crate::add::{Add, Link};
use crate::record::{Record, Records};

pub(crate) fn records<'a>(adds: &BTreeMap<usize, Add<'a>>) -> Records<'a> {
    let mut record_of: BTreeMap<usize, usize> = adds.keys().map(|at| (*at, *at)).collect();
    while let Some((older, younger)) = next_to_join(adds, &record_of) {
        record_of.values_mut().filter(|of| **of == younger).for_each(|of| *of = older);
    }
    let mut records = united(adds, &record_of);
    cut_cycles(&mut records);
    records
}

/// The records that the adds are part of, with the links and results of all their adds.
fn united<'a>(adds: &BTreeMap<usize, Add<'a>>, record_of: &BTreeMap<usize, usize>) -> Records<'a> {
    let mut records = Records::new();
    for (at, add) in adds {
        let record = records.entry(record_of[at]).or_insert_with(|| Record {
            digest: add.digest,
            inputs: vec![BTreeSet::new(); add.inputs.len()],
            ..Record::default()
        });
        for (all, links) in record.inputs.iter_mut().zip(&add.inputs) {
            all.extend(links.iter().map(|(source, selector)| -> Link<'a> { (record_of[source], *selector) }));
        }
        add.results.iter().for_each(|result| record.merge_result(result));
    }
    records
}

fn next_to_join(
    adds: &BTreeMap<usize, Add<'_>>,
    record_of: &BTreeMap<usize, usize>,
) -> Option<(usize, usize)> {
    let records = united(adds, record_of);
    for (older, a) in &records {
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
